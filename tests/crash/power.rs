//! Lets the power fail: drops what was not forced to the disk.

use super::check::{RUN, assert_same, check_interrupted, experiment, rows, workspace};
use super::disk::Disk;
use super::replay::{Recording, Unsynced};
use crate::support::{Random, Workspace};
use std::fs;

const ARGUMENTS: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "json"];
const WORKER: [&str; 7] = ["run", "cats.toml", "--backend", "fake", "--progress", "json", "--worker"];

/// Every cell that the program had called finished.
fn finished(said: &str) -> Vec<String> {
    let finished =
        said.lines().filter(|line| line.starts_with("{\"event\":\"finished\"") && line.ends_with('}'));
    finished
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["cell"].as_str().unwrap().to_owned())
        .collect()
}

/// The cells without a row of those that were called finished. Rows of workers are in files of their own until they are folded.
fn lost(workspace: &Workspace, recording: &Recording, before: usize) -> Vec<String> {
    let log = fs::read(workspace.path().join(RUN).join("log.csv")).unwrap_or_default();
    let shared = workspace.files(&format!("{RUN}/.share"));
    let mut finished = finished(&recording.said(before));
    finished.retain(|cell| {
        let is_logged = log.split(|byte| *byte == b'\n').any(|line| line.starts_with(cell.as_bytes()));
        let row = shared.iter().find(|file| file.ends_with(&format!("{cell}.csv")));
        let is_shared = |file: &String| {
            let row = fs::read_to_string(workspace.path().join(RUN).join(".share").join(file)).unwrap();
            row.ends_with('\n') && row.contains(cell)
        };
        !is_logged && !row.is_some_and(is_shared)
    });
    finished
}

/// A file system without what was lost; then the program's own check, the promises, and the same command again.
fn fail(
    whole: &Workspace,
    recording: &Recording,
    experiment: &str,
    before: usize,
    unsynced: Unsynced,
    seed: u64,
) {
    let left = workspace(experiment);
    recording.write(before, unsynced, &mut Random(seed), &left.path().join("runs"));
    eprintln!("before operation {before} of {}, {unsynced:?}, seed {seed}", recording.len());
    let lost = lost(&left, recording, before);
    assert!(lost.is_empty(), "finished, and without a row: {lost:?}");
    // Rows that were not forced may be torn or zeros; they are reported, and their cells get new ones.
    let log = fs::read(left.path().join(RUN).join("log.csv")).unwrap_or_default();
    if log.contains(&0) {
        for sample in ["0", "4"] {
            left.maquette(&["verify", "cats", "--backend", "fake", "--sample", sample]).code(0);
            left.maquette(&ARGUMENTS).code(0);
        }
    } else {
        check_interrupted(&left, "fake");
        left.maquette(&ARGUMENTS).code(0);
        let _ = fs::remove_dir_all(left.path().join(RUN).join(".share"));
        assert_same(whole, &left);
    }
}

/// A run; one that failed in the middle and was resumed; and one of a worker.
fn recordings(disk: &Disk, experiment: &str) -> [Recording; 3] {
    let [whole, resumed, worker] = [(); 3].map(|()| workspace(experiment));
    disk.record(&whole, &ARGUMENTS, &[]).code(0);
    let fault = [("DISK_FAIL_AT", "70"), ("DISK_FAIL_WITH", "5"), ("DISK_FAIL_ON", "1")];
    disk.record(&resumed, &ARGUMENTS, &fault).code(1);
    disk.record(&resumed, &ARGUMENTS, &[]).code(0);
    disk.record(&worker, &WORKER, &[]).code(0);
    [whole, resumed, worker].map(|folder| {
        assert_eq!(rows(&folder).len(), 12);
        disk.recording(&folder)
    })
}

fn fail_often(states: u64, seed: u64) {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(6);
    let whole = workspace(&experiment);
    whole.maquette(&ARGUMENTS).code(0);
    let recordings = recordings(&disk, &experiment);
    let mut random = Random(seed);
    let fates = [Unsynced::Random, Unsynced::Empty, Unsynced::Random, Unsynced::Lost, Unsynced::Zeros];
    for state in 0..states {
        let recording = &recordings[state as usize % recordings.len()];
        let before = 1 + random.below(recording.len() as u64) as usize;
        let fate = fates[state as usize % fates.len()];
        fail(&whole, recording, &experiment, before, fate, random.below(1 << 30));
    }
}

#[test]
fn a_power_failure_takes_no_finished_cell() {
    fail_often(30, 1);
}

#[test]
#[ignore = "takes many minutes: just soak"]
fn a_thousand_power_failures_take_no_finished_cell() {
    fail_often(1_000, 2);
}

#[test]
fn without_its_syncs_a_run_would_lose_cells() {
    let Some(disk) = Disk::find() else { return };
    for (of_folders, unsynced) in [(false, Unsynced::Empty), (true, Unsynced::Lost)] {
        let recording =
            recordings(&disk, &experiment(6)).into_iter().next().unwrap().without_syncs(of_folders);
        let left = workspace(&experiment(6));
        let end = recording.len();
        recording.write(end, unsynced, &mut Random(1), &left.path().join("runs"));
        assert_eq!(lost(&left, &recording, end).len(), 12, "{unsynced:?}");
    }
}
