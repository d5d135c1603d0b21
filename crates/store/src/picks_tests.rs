//! Picks in a real run folder.

use crate::run_tests::{Folder, artists, finish};
use crate::{PickChange, Run, StoreError};
use maquette_core::test_plans::plan;
use maquette_core::{CellId, Digest, Mark, Pick};

fn mark(mark: Mark) -> PickChange {
    PickChange { mark: Some(Some(mark)), note: None }
}

fn note(text: &str) -> PickChange {
    PickChange { mark: None, note: Some(Some(text.to_owned())) }
}

/// A run with one finished cell out of four, and its cells.
fn started(folder: &Folder) -> (Run, Vec<CellId>) {
    let mut writer = folder.start(&artists());
    finish(&mut writer, 0);
    let cells = (0..4).map(|index| writer.plan().id(index).unwrap()).collect();
    (writer.run().clone(), cells)
}

fn text(run: &Run) -> String {
    std::fs::read_to_string(run.dir().join("picks.toml")).unwrap()
}

fn write(run: &Run, text: &str) {
    std::fs::write(run.dir().join("picks.toml"), text).unwrap();
}

#[test]
fn picks_are_written_and_read() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    assert_eq!(run.picks().unwrap().cells.len(), 0);
    run.update_pick(cells[0], &mark(Mark::Pick)).unwrap();
    // A cell without a picture, too.
    run.update_pick(cells[3], &mark(Mark::Reject)).unwrap();
    let pick = run.update_pick(cells[0], &note("the \"eyes\"\nare right")).unwrap();
    assert_eq!(pick, Pick { mark: Some(Mark::Pick), note: Some("the \"eyes\"\nare right".to_owned()) });
    let picks = run.picks().unwrap();
    assert_eq!((picks.cells.len(), &picks.cells[&cells[0]], &picks.problems[..]), (2, &pick, &[][..]));
    assert_eq!(picks.marked(Mark::Reject).collect::<Vec<_>>(), [cells[3]]);
    let expected = "# Picks of test@1. Written by `maquette review` and by the run's page.\n";
    assert!(text(&run).starts_with(expected), "{}", text(&run));
    assert!(text(&run).contains(&format!("[cells.{}]\nmark = \"reject\"\n", cells[3])), "{}", text(&run));

    let change = PickChange { mark: Some(None), note: Some(None) };
    assert_eq!(run.update_pick(cells[0], &change).unwrap(), Pick::default());
    run.update_pick(cells[3], &PickChange::default()).unwrap();
    assert_eq!(run.picks().unwrap().cells.keys().collect::<Vec<_>>(), [&cells[3]]);
    assert!(!text(&run).contains(&cells[0].to_string()));
}

#[test]
fn a_change_keeps_what_people_wrote() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    let other = CellId(Digest::of(b"elsewhere"));
    let before = format!(
        "# My favourites\nreviewer = \"E\" # me\n\n[cells.{}] # the first\n# looks odd\nmark = \"pick\" # really\n\
         stars = 4\n\n[cells.{other}]\nmark = \"pick\"\n\n[cells.xyz]\nmark = \"pick\"\n\n[cells.{}]\nmark = \
         \"maybe\"\nnote = 7\n",
        cells[0], cells[1]
    );
    write(&run, &before);
    let picks = run.picks().unwrap();
    assert_eq!(picks.cells.keys().collect::<Vec<_>>(), [&cells[0]]);
    assert_eq!(picks.gone.keys().collect::<Vec<_>>(), [&other]);
    let second = cells[1].short();
    assert_eq!(
        picks.problems,
        [
            "`xyz` in picks.toml is not the name of a cell; allowed: 64 hexadecimal digits".to_owned(),
            format!("`note` of the cell {second} in picks.toml is not text"),
            format!("the mark of the cell {second} in picks.toml is `maybe`; allowed: pick, reject"),
            format!("picks.toml names 1 cell not in test@1; kept in the file ({})", other.short()),
        ]
    );

    run.update_pick(cells[0], &mark(Mark::Reject)).unwrap();
    assert_eq!(text(&run), before.replacen("mark = \"pick\"", "mark = \"reject\"", 1));
    run.update_pick(cells[2], &mark(Mark::Pick)).unwrap();
    assert_eq!(
        text(&run),
        before.replacen("mark = \"pick\"", "mark = \"reject\"", 1)
            + &format!("\n[cells.{}]\nmark = \"pick\"\n", cells[2])
    );
    // Only what it knows is removed.
    run.update_pick(cells[0], &PickChange { mark: Some(None), note: None }).unwrap();
    assert!(text(&run).contains("stars = 4"), "{}", text(&run));
    // A cell that is gone can still be changed in the file.
    run.update_pick(other, &PickChange { mark: Some(None), note: None }).unwrap();
    assert!(!text(&run).contains(&other.to_string()));
}

#[test]
fn an_inline_table_is_changed_in_place() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    write(&run, &format!("cells = {{ {} = {{ mark = \"pick\" }} }}\n", cells[0]));
    run.update_pick(cells[1], &note("n")).unwrap();
    assert_eq!(run.picks().unwrap().cells.len(), 2, "{}", text(&run));
    assert_eq!(text(&run).lines().count(), 1);
}

#[test]
fn a_file_of_another_run_is_recognised() {
    let folder = Folder::new();
    let (run, _) = started(&folder);
    let other = plan(&[("artist", vec!["Klimt"])]).id(0).unwrap();
    write(&run, &format!("[cells.{other}]\nmark = \"pick\"\n"));
    let picks = run.picks().unwrap();
    assert_eq!(picks.cells.len(), 0);
    assert_eq!(
        picks.problems,
        [format!(
            "picks.toml names 1 cell, none of which is in test@1: it seems to belong to another run ({})",
            other.short()
        )]
    );
}

#[test]
fn a_file_that_is_not_toml_is_not_overwritten() {
    let folder = Folder::new();
    let (run, cells) = started(&folder);
    for broken in ["[cells\n", "cells = 3\n"] {
        write(&run, broken);
        let error = run.update_pick(cells[0], &mark(Mark::Pick)).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("picks.toml"), "{error}");
        assert_eq!(text(&run), broken);
    }
    write(&run, "a = 1\n[cells\n");
    assert!(run.picks().unwrap_err().to_string().contains("is not TOML, line 2"));
}

#[test]
fn a_cell_of_no_run_is_refused() {
    let folder = Folder::new();
    let (run, _) = started(&folder);
    let error = run.update_pick(CellId(Digest::of(b"no")), &mark(Mark::Pick)).unwrap_err();
    assert!(matches!(error, StoreError::NoCell { .. }), "{error}");
    assert!(!run.dir().join("picks.toml").exists());
}

#[test]
fn two_writers_at_once_lose_nothing() {
    let folder = Folder::new();
    let seeds: Vec<String> = (0..40).map(|seed| seed.to_string()).collect();
    let plan = plan(&[("seed", seeds.iter().map(String::as_str).collect())]);
    let run = folder.start(&plan).run().clone();
    let cells: Vec<CellId> = (0..40).map(|index| plan.id(index).unwrap()).collect();
    std::thread::scope(|scope| {
        for half in cells.chunks(20) {
            let run = run.clone();
            scope.spawn(move || {
                half.iter().for_each(|cell| _ = run.update_pick(*cell, &mark(Mark::Pick)).unwrap());
            });
        }
        // The same cells, other fields.
        scope.spawn(|| cells.iter().for_each(|cell| _ = run.update_pick(*cell, &note("seen")).unwrap()));
    });
    let picks = run.picks().unwrap();
    assert_eq!(picks.cells.len(), 40);
    let whole = Pick { mark: Some(Mark::Pick), note: Some("seen".to_owned()) };
    assert!(picks.cells.values().all(|pick| *pick == whole));
}
