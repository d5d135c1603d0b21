//! A separate folder for each test, and the real binary run in it.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// A temporary folder in which a test runs the binary.
pub struct Workspace {
    folder: TempDir,
}

/// A run in progress.
pub struct Running {
    child: Child,
    events: Lines<BufReader<ChildStderr>>,
}

/// A linear congruential generator, so that a failure can be repeated as far as that is possible.
pub struct Random(pub u64);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Workspace {
    pub fn new() -> Workspace {
        Workspace { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Copies the drawn reference portrait into the folder.
    pub fn with_selfie(self) -> Workspace {
        let selfie = fs::read(repository().join("experiments/references/selfie.png")).unwrap();
        self.write("references/selfie.png", selfie);
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maquette"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .env("HF_HOME", self.path().join("hf"))
            // Tests must not use the real hub.
            .env("HF_HUB_OFFLINE", "1")
            .env("NO_PROXY", "127.0.0.1,localhost");
        for variable in ["MAQUETTE_RUNS", "MAQUETTE_DEVICE", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs `maquette` with those arguments to its end.
    pub fn maquette(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Starts `maquette run` with those arguments and leaves it running.
    pub fn start_run(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(&["run", "--progress", "json"]);
        let mut child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(child.stderr.take().unwrap()).lines();
        Running { child, events }
    }

    /// Every file below a folder, by its path within it, sorted.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path().join(folder);
        let mut found = Vec::new();
        collect(&root, &root, &mut found);
        found.sort();
        found
    }
}

impl Random {
    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

impl Running {
    /// Waits until the event has happened `times` more times.
    pub fn wait_for(&mut self, event: &str, times: usize) {
        let event = format!("{{\"event\":\"{event}\"");
        let seen = self.events.by_ref().map(Result::unwrap).filter(|line| line.starts_with(&event));
        assert_eq!(seen.take(times).count(), times, "it ended before {event} happened {times} times");
    }

    /// Waits for the next event of any kind; false if it has ended.
    pub fn wait(&mut self) -> bool {
        self.events.next().is_some()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends and returns its exit code.
    pub fn code(mut self) -> Option<i32> {
        self.events.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

impl Ended {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Ended {
        let output = command.output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code, and shows the output if it is another.
    #[track_caller]
    pub fn code(self, expected: i32) -> Ended {
        assert_eq!(self.code, expected, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// How often standard error contains a part, whatever the line wrapping.
    pub fn count(&self, part: &str) -> usize {
        unwrapped(&self.stderr).matches(&unwrapped(part)).count()
    }

    /// Asserts that standard error contains every part, whatever the line wrapping.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Ended {
        let stderr = unwrapped(&self.stderr);
        for part in parts {
            assert!(stderr.contains(&unwrapped(part)), "`{part}` is not in:\n{}", self.stderr);
        }
        self
    }
}

/// Text without line breaks, the frame of an error report and doubled spaces.
fn unwrapped(text: &str) -> String {
    let plain = text.replace(['│', '╰', '─', '▶', '×', '├', '·'], " ");
    // Without these characters, continued lines begin with a bar.
    let lines = plain.lines().map(|line| line.trim_start().trim_start_matches("| "));
    let plain = lines.collect::<Vec<_>>().join(" ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
}
