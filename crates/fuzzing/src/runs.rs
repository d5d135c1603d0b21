//! The files of a run's folder.

use crate::folder::Folder;
use maquette_core::{CellId, Mark, Vote};
use maquette_store::{PickChange, Run, Runs};

/// The files of a small run, whose plan and log an earlier version has written.
const PLAN: &[u8] = include_bytes!("../../../tests/fixtures/runs-before/runs/portraits/2/plan.json");
const LOG: &[u8] = include_bytes!("../../../tests/fixtures/runs-before/runs/portraits/2/log.csv");

/// A run in which one file is the input.
fn with(file: &str, input: &[u8], read: impl FnOnce(&Runs, &Run)) {
    thread_local! { static FOLDER: Folder = Folder::new(); }
    FOLDER.with(|folder| {
        for (name, bytes) in [("test/1/plan.json", PLAN), ("test/1/log.csv", LOG)] {
            folder.write(name, bytes);
        }
        let path = folder.write(file, input);
        let runs = Runs::open(folder.0.path()).expect("the folder can be opened");
        if let Ok(run) = runs.find("test@1") {
            read(&runs, &run);
        }
        std::fs::remove_file(path).expect("the input can be removed");
    });
}

/// Reads a plan, and some of its cells.
pub fn plan(input: &[u8]) {
    with("test/1/plan.json", input, |_, run| {
        let Ok(plan) = run.plan() else { return };
        for index in (0..plan.len()).take(10).chain(plan.len().checked_sub(1)) {
            let coordinates = plan.coordinates(index);
            plan.label(&coordinates);
            assert_eq!(plan.index_at(&coordinates), Some(index));
            let _ = (plan.id(index), plan.cell(index));
        }
        for picture in plan.pictures.values() {
            assert!(picture.file.starts_with(run.dir()));
        }
    });
}

/// Reads a log; pictures stay in the run's folder.
pub fn log(input: &[u8]) {
    with("test/1/log.csv", input, |_, run| {
        let Ok(log) = run.read_log() else { return };
        for row in &log.rows {
            let _ = (row.seconds(), row.pixels(), row.note(), row.final_cell(), row.metrics().count());
            if let Some(image) = row.image() {
                assert!(run.picture(image).is_ok_and(|path| path.starts_with(run.dir())), "{image}");
            }
        }
        log.damaged.iter().for_each(|row| drop(row.to_string()));
    });
}

/// Reads picks, and changes one: everything else stays.
pub fn picks(input: &[u8]) {
    with("test/1/picks.toml", input, |_, run| {
        let Ok(before) = run.picks() else { return };
        let Ok(log) = run.log() else { return };
        let cell = log[0].cell();
        let change = PickChange { mark: Some(Some(Mark::Pick)), note: Some(Some("a note".to_owned())) };
        if let Ok(pick) = run.update_pick(cell, &change) {
            let after = run.picks().expect("changed picks can be read");
            assert_eq!(after.cells.get(&cell), Some(&pick));
            let others = |cells: &std::collections::BTreeMap<CellId, _>| {
                cells.keys().filter(|id| **id != cell).count()
            };
            assert_eq!(others(&after.cells), others(&before.cells));
        }
    });
}

/// Reads votes, adds one and removes it: the file is as before, but for what a crash has torn.
pub fn votes(input: &[u8]) {
    with("test/1/votes.csv", input, |_, run| {
        let Ok(before) = run.votes() else { return };
        let Ok(log) = run.log() else { return };
        let vote = Vote { left: log[0].cell(), right: log[1].cell(), choice: maquette_core::Choice::Tie };
        run.add_vote(&vote).expect("a vote can be added");
        assert_eq!(run.votes().expect("votes can be read").votes.len(), before.votes.len() + 1);
        assert_eq!(run.remove_last_vote().expect("a vote can be removed"), Some(vote));
        assert_eq!(run.votes().expect("votes can be read").votes, before.votes);
    });
}

/// Reads former names of runs.
pub fn names(input: &[u8]) {
    with(".names.json", input, |runs, _| {
        let _ = runs.find("mucha@1");
        let _ = runs.present_name("mucha@1");
    });
}
