//! What must be true of a runs folder after anything happened to it.

use crate::support::{Workspace, repository};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// The run of every test here.
pub const RUN: &str = "runs/cats/1";

/// Columns that depend on when and where a cell was rendered.
const TIMES: [&str; 3] = ["seconds", "device", "reused"];

/// An experiment for the fake backend.
pub fn experiment(seeds: usize) -> String {
    format!(
        "prompt = \"a cat, by {{artist}}\"\nsteps = 2\nwidth = 16\nheight = 16\n\n[sweep]\nartist = [\"Mucha\", \"Munch\"]\n\
         seed = {{ count = {seeds} }}\n"
    )
}

/// A folder with an experiment `cats.toml`.
pub fn workspace(experiment: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment);
    workspace
}

/// A folder with a tiny model, four pictures of a subject, and an experiment that trains it.
pub fn subject() -> Workspace {
    let fixtures = repository().join("tests/fixtures");
    let workspace = workspace(SUBJECT);
    let copied = Command::new("cp").arg("-r").arg(fixtures.join("tiny-a")).arg(workspace.path()).status();
    assert!(copied.unwrap().success());
    for name in ["subject-0", "subject-1", "subject-2", "class-0"] {
        let photo = fs::read(fixtures.join(format!("training/{name}.png"))).unwrap();
        workspace.write(&format!("photos/{name}.png"), photo);
    }
    workspace
}

const SUBJECT: &str = "model = \"tiny-a\"\nprompt = \"a {subject}\"\nsteps = 2\nwidth = 32\nheight = 32\n\
                       [subject.me]\nimages = \"photos/*.png\"\nword = \"sks man\"\nclass = \"man\"\nsteps = 12\n\
                       learning_rate = 0.01\nrank = 2\nwidth = 32\nheight = 32\nnum_class_images = 2\n\
                       [sweep]\nsubject = [\"none\", \"me\"]\nseed = [1, 2]\n";

/// The rows of a log by cell, without times. Each must have its picture, and a cell must have one row. A row that is torn at
/// the end is no row.
pub fn rows(workspace: &Workspace) -> BTreeMap<String, Vec<String>> {
    rows_in(workspace, "log.csv")
}

fn rows_in(workspace: &Workspace, file: &str) -> BTreeMap<String, Vec<String>> {
    let Ok(log) = fs::read_to_string(workspace.path().join(RUN).join(file)) else {
        return BTreeMap::new();
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(log.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut rows = BTreeMap::new();
    for (number, row) in records.iter().enumerate() {
        if number + 1 == records.len() && !log.ends_with('\n') {
            break;
        }
        assert_eq!(row.len(), headers.len(), "row {number} of:\n{log}");
        if let (Some("done"), Some(image)) = (row.get(1), row.get(2)) {
            assert!(workspace.path().join(RUN).join(image).is_file(), "{image} is missing");
        }
        let mut fields: Vec<String> = row.iter().map(str::to_owned).collect();
        TIMES.iter().filter_map(|name| at(name)).for_each(|at| fields[at].clear());
        assert!(rows.insert(row[0].to_owned(), fields).is_none(), "{} has two rows", &row[0]);
    }
    rows
}

/// Checks a run that was interrupted: every row has its picture with the pixels that the row and the picture's own metadata
/// say, and no cell has two rows.
pub fn check_interrupted(workspace: &Workspace, backend: &str) {
    rows(workspace);
    if workspace.path().join(RUN).join("plan.json").exists() {
        workspace.maquette(&["verify", "cats", "--backend", backend, "--sample", "0"]).code(0);
    }
}

/// Checks that two folders are the same, byte for byte, except for times and what follows from them.
pub fn assert_same(one: &Workspace, other: &Workspace) {
    for file in ["log.csv", "drafts.csv"] {
        assert_eq!(rows_in(one, file), rows_in(other, file));
    }
    let [ours, theirs] = [one, other].map(|workspace| {
        let files = workspace.files("runs").into_iter().filter(|file| !depends_on_time(file));
        files.collect::<BTreeSet<String>>()
    });
    let differing: Vec<&String> = ours.symmetric_difference(&theirs).collect();
    assert!(differing.is_empty(), "only in one of them: {differing:?}");
    for file in &ours {
        let [ours, theirs] = [one, other].map(|workspace| {
            let path = workspace.path().join("runs").join(file);
            let bytes = fs::read_link(&path)
                .map_or_else(|_| fs::read(&path).unwrap(), |to| to.to_string_lossy().into_owned().into());
            match file.ends_with("experiment.toml") {
                // It says in which folder the experiment was.
                true => String::from_utf8(bytes)
                    .unwrap()
                    .replace(workspace.path().to_str().unwrap(), "FOLDER")
                    .into(),
                false => bytes,
            }
        });
        assert!(ours == theirs, "{file} differs");
    }
}

fn depends_on_time(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    // Temporary files of killed processes, which `clean` removes when they are an hour old.
    let temporary = name.starts_with(".writing-");
    temporary
        || matches!(
            name,
            ".timings.json"
                | ".checked.json"
                | ".report.json"
                | ".fingerprints.json"
                | "losses.csv"
                | "log.csv"
                | "drafts.csv"
                | "data.js"
                | "state.js"
        )
        || name.ends_with(".lock")
}
