//! A folder of its own for each test, and the library's workspace in it.

use maquette::{
    DeviceName, Environment, Error, ErrorKind, Experiment, FetchEvent, HubEnvironment, LogRow, PlanProblem,
    Renderer, Run, RunEvent, RunOptions, RunProgress, RunResult, StartReason, Stop, Workspace,
};
use maquette_core::Image;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary folder with experiments in it. Runs, cache and current folder are in it, too.
pub struct Project {
    folder: TempDir,
}

/// What a run reported, and what it came to.
pub struct Ran {
    pub result: RunResult,
    pub reason: StartReason,
    pub warnings: Vec<String>,
    /// The models that were loaded.
    pub loaded: Vec<String>,
    /// The repositories that were downloaded, and the files that arrived whole.
    pub downloaded: Vec<String>,
    pub files: Vec<String>,
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

impl Project {
    pub fn new() -> Project {
        Project { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Copies a file or folder of the fixtures into the project.
    pub fn copy(&self, from: &str, to: &str) {
        copy(&fixture(from), &self.path().join(to));
    }

    /// Copies the drawn reference portrait into the folder.
    pub fn with_selfie(self) -> Project {
        let selfie = fs::read(repository().join("experiments/references/selfie.png")).unwrap();
        self.write("references/selfie.png", selfie);
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// An environment in which these variables, and no others, are set. Its cache is in the project.
    pub fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        let home = self.path().join("hf").to_string_lossy().into_owned();
        let given = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let hub =
            HubEnvironment::from(&|name| given(name).or_else(|| (name == "HF_HOME").then(|| home.clone())));
        let folder = Some(self.path().to_owned());
        let (fake_fail_on, fake_panic_on, fake_pause) = (None, None, None);
        Environment {
            hub,
            folder,
            aws: vec![],
            bucket_patience: None,
            fake_fail_on,
            fake_panic_on,
            fake_pause,
        }
    }

    /// The engine on the CPU, without a hub.
    pub fn engine(&self) -> Workspace {
        Workspace::open(self.path().join("runs"))
            .unwrap()
            .with_device(DeviceName::Cpu)
            .with_environment(self.environment(&[("HF_HUB_OFFLINE", "1")]))
    }

    /// The fake renderer, which paints from the cells' names.
    pub fn fake(&self) -> Workspace {
        self.engine().with_renderer(Renderer::Fake)
    }

    /// The experiment in a file of the project.
    pub fn experiment(&self, file: &str) -> Experiment {
        Experiment::at(self.path().join(file))
    }

    /// The run of that name and number.
    pub fn find(&self, run: &str) -> Run {
        self.engine().runs().find(run).unwrap()
    }

    /// Every file below a folder of the project with its bytes, by its path within it.
    pub fn everything(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path().join(folder);
        let mut found = BTreeMap::new();
        collect(&root, &root, &mut found);
        found
    }
}

/// Runs an experiment without sheets.
pub fn try_run(workspace: &Workspace, experiment: &Experiment, options: &RunOptions) -> Result<Ran, Error> {
    let (mut reason, mut warnings) = (StartReason::First, Vec::new());
    let (mut loaded, mut downloaded, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let result = workspace.run(experiment, options, &Stop::new(), &mut |event| match event {
        RunEvent::Started { reason: why, .. } => reason = why,
        RunEvent::Warning(text) => warnings.push(text),
        RunEvent::Progress(RunProgress::Warned { warning, .. }) => warnings.push(warning.clone()),
        RunEvent::Progress(RunProgress::Loading { model }) => loaded.push(model.clone()),
        RunEvent::Fetch(FetchEvent::Started(offer)) => {
            downloaded.push(offer.repository.to_string());
            files.extend(offer.files.iter().map(|file| file.name.clone()));
        }
        _ => {}
    })?;
    Ok(Ran { result, reason, warnings, loaded, downloaded, files })
}

/// Runs an experiment without sheets to its end.
#[track_caller]
pub fn run(workspace: &Workspace, experiment: &Experiment) -> Ran {
    let options = RunOptions { sheets: false, ..RunOptions::default() };
    try_run(workspace, experiment, &options).unwrap_or_else(|error| panic!("{error:?}"))
}

impl Ran {
    /// Cells that were done before, taken over from other runs, rendered, and failed.
    pub fn counts(&self) -> [usize; 4] {
        let summary = &self.result.summary;
        [summary.done, summary.reused, summary.rendered, summary.failures.len()]
    }
}

/// The log of a run.
pub fn log(run: &Run) -> Vec<LogRow> {
    run.log().unwrap()
}

/// A column of a row; empty where there is none.
pub fn column<'a>(row: &'a LogRow, name: &str) -> &'a str {
    row.get(name).unwrap_or_default()
}

/// The file of a row's picture.
pub fn picture(run: &Run, row: &LogRow) -> PathBuf {
    run.dir().join(row.image().unwrap())
}

/// The pixels of a row's picture.
pub fn pixels(run: &Run, row: &LogRow) -> Image {
    maquette_picture::decode(&picture(run, row)).unwrap()
}

/// The bytes of a run's pictures by cell.
pub fn pictures(run: &Run) -> BTreeMap<String, Vec<u8>> {
    let bytes = |row: &LogRow| (row.cell().to_string(), fs::read(picture(run, row)).unwrap());
    log(run).iter().map(bytes).collect()
}

/// The problems that an experiment was refused for.
#[track_caller]
pub fn problems<T>(refused: Result<T, Error>) -> Vec<PlanProblem> {
    match refused {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Experiment, "{error:?}");
            let Error::Plan(error) = error else { panic!("another error: {error:?}") };
            error.problems
        }
        Ok(_) => panic!("it was not refused"),
    }
}

/// Asserts that there is one problem, and what its message with its remark, and its hint, have in them.
#[track_caller]
pub fn check_problem<T>(refused: Result<T, Error>, message: &[&str], hint: &str) -> PlanProblem {
    let problems = problems(refused);
    let [problem] = &problems[..] else { panic!("not one problem: {problems:?}") };
    check_says(problem, message, hint);
    problem.clone()
}

/// Asserts what a problem's message with its remark, and its hint, have in them.
#[track_caller]
pub fn check_says(problem: &PlanProblem, message: &[&str], hint: &str) {
    let said = format!("{problem}; {}", problem.remark().unwrap_or_default());
    for part in message {
        assert!(said.contains(part), "`{part}` is not in `{said}`");
    }
    let said = problem.hint().unwrap_or_default();
    assert!(said.contains(hint), "`{hint}` is not in the hint `{said}`");
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // A run's `latest` is a link for people; Maquette takes the highest number.
        if !entry.path().is_symlink() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, found);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            found.insert(name, fs::read(&path).unwrap());
        }
    }
}
