//! Lets the power fail: drops what was not forced to the disk.

use super::check::{RUN, assert_same, check_interrupted, experiment, rows, workspace};
use super::disk::Disk;
use super::replay::{Recording, Unsynced};
use crate::support::{Random, Workspace};
use std::fs;

const ARGUMENTS: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "json"];

/// Every cell that the program had called finished.
fn finished(said: &str) -> Vec<String> {
    let finished =
        said.lines().filter(|line| line.starts_with("{\"event\":\"finished\"") && line.ends_with('}'));
    finished
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["cell"].as_str().unwrap().to_owned())
        .collect()
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
    let about = format!("before operation {before} of {}, {unsynced:?}, seed {seed}", recording.len());
    eprintln!("{about}");
    let log = fs::read(left.path().join(RUN).join("log.csv")).unwrap_or_default();
    let promised = finished(&recording.said(before));
    for cell in &promised {
        let row = log.split(|byte| *byte == b'\n').find(|line| line.starts_with(cell.as_bytes()));
        assert!(row.is_some(), "{about}: {cell} was finished and has no row");
    }
    // Rows that were not forced may be torn or zeros; they are reported, and their cells are rendered again.
    if !log.contains(&0) {
        check_interrupted(&left, "fake");
    } else {
        left.maquette(&["verify", "cats", "--backend", "fake", "--sample", "0"]).code(0);
    }
    left.maquette(&ARGUMENTS).code(0);
    if log.contains(&0) {
        left.maquette(&["verify", "cats", "--backend", "fake", "--sample", "4"]).code(0);
    } else {
        assert_same(whole, &left);
    }
}

fn fail_often(states: u64, seed: u64) {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(6);
    let whole = workspace(&experiment);
    whole.maquette(&ARGUMENTS).code(0);
    let recorded = workspace(&experiment);
    let recording = disk.record(&recorded, &ARGUMENTS);
    assert_eq!(finished(&recording.said(recording.len())).len(), rows(&recorded).len());
    let mut random = Random(seed);
    let fates = [
        Unsynced::Random,
        Unsynced::Empty,
        Unsynced::Random,
        Unsynced::Lost,
        Unsynced::Zeros,
        Unsynced::Kept,
    ];
    for state in 0..states {
        let before = 1 + random.below(recording.len() as u64) as usize;
        let fate = fates[state as usize % fates.len()];
        fail(&whole, &recording, &experiment, before, fate, random.below(1 << 30));
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
