//! Removing what no run uses, in a real folder.

use crate::run_tests::{Folder, finish, reuse};
use crate::{RunWriter, Runs, StoreError, Unused, UnusedKind, cells};
use maquette_core::test_plans::{image, plan};
use maquette_core::{Cell, CellId, DraftSettings, Plan, Remarks};
use std::collections::HashMap;
use std::path::Path;

/// A plan of four cells.
fn cats() -> Plan {
    plan(&[("seed", vec!["1", "2", "3", "4"])])
}

/// A time at which every file of a test is old.
const LATER: u64 = 1 << 40;

fn found(unused: &Unused, root: &Path) -> Vec<(UnusedKind, String)> {
    let path = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    unused.files.iter().map(|file| (file.kind, path(&file.path))).collect()
}

fn listed(runs: &Runs) -> Vec<(UnusedKind, String)> {
    found(&runs.unused(LATER).unwrap(), runs.root())
}

fn cell_file(id: &CellId) -> String {
    cells::path(Path::new(""), id).display().to_string()
}

/// Finishes all cells of a new run and returns them.
fn whole(writer: &mut RunWriter) -> Vec<Cell> {
    let cells: Vec<Cell> = writer.plan().cells().map(Result::unwrap).collect();
    (0..cells.len()).for_each(|index| finish(writer, index));
    cells
}

#[test]
fn a_run_is_removed_with_the_cells_that_only_it_uses() {
    let folder = Folder::new();
    let mut writer = folder.start(&cats());
    let cells = whole(&mut writer);
    assert!(matches!(folder.runs.remove_run(writer.run(), false, LATER), Err(StoreError::Locked { .. })));
    drop(writer);
    let mut other = folder.start(&plan(&[("seed", vec!["1"])]));
    reuse(&mut other, &cells[0]).unwrap();
    drop(other);
    assert_eq!(listed(&folder.runs), []);

    let run = folder.runs.find("test@1").unwrap();
    std::fs::write(run.dir().join("notes.txt"), "mine").unwrap();
    let without = folder.runs.unused_without(&run, LATER).unwrap();
    let freed: Vec<_> = found(&without, folder.runs.root())
        .into_iter()
        .filter(|(kind, _)| *kind == UnusedKind::Cell)
        .collect();
    let mut expected: Vec<_> =
        cells[1..].iter().map(|cell| (UnusedKind::Cell, cell_file(&cell.id))).collect();
    expected.sort();
    assert_eq!(freed, expected);
    assert!(without.notes[0].contains("notes.txt` is not part of a run"), "{:?}", without.notes);
    assert_eq!(folder.runs.remove_run(&run, false, LATER).unwrap(), without);
    let left: Vec<_> = run.dir().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"], "what is not part of a run is kept");
    assert!(folder.runs.has_cell(&cells[0].id) && !folder.runs.has_cell(&cells[1].id));
    let runs: Vec<_> = folder.runs.list().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(runs, ["test@2"]);
    // Its name is not given to another run.
    folder.runs.remove_run(&folder.runs.find("test@2").unwrap(), false, LATER).unwrap();
    assert!(!folder.runs.root().join("test/2").exists() && !folder.runs.root().join("test/latest").exists());
    assert_eq!(folder.start(&cats()).run().to_string(), "test@3");
}

#[test]
fn bytes_are_those_that_really_become_free() {
    let folder = Folder::new();
    let mut writer = folder.start(&plan(&[("seed", vec!["1"])]));
    let cells = whole(&mut writer);
    drop(writer);
    let run = folder.runs.find("test").unwrap();
    let size = |path: &Path| path.metadata().unwrap().len();
    let picture = size(&cells::path(folder.runs.root(), &cells[0].id));
    let without = folder.runs.unused_without(&run, LATER).unwrap();
    let sum: u64 = without.files.iter().map(|file| file.bytes).sum();
    assert_eq!(sum - without.bytes, picture, "the picture has two names and counts once");
    // With a third name elsewhere, removing both frees nothing, so the cell is kept.
    let elsewhere = folder.runs.root().join("kept.png");
    std::fs::hard_link(cells::path(folder.runs.root(), &cells[0].id), elsewhere).unwrap();
    let kept = folder.runs.unused_without(&run, LATER).unwrap();
    assert!(kept.files.iter().all(|file| file.kind == UnusedKind::Run));
    assert_eq!(kept.bytes, without.bytes - picture);
}

#[test]
fn cells_without_a_run_are_unused_unless_they_are_picked_or_may_be_needed() {
    let folder = Folder::new();
    let mut writer = folder.start(&cats());
    let cells = whole(&mut writer);
    let dir = writer.run().dir().to_owned();
    drop(writer);
    std::fs::remove_dir_all(&dir).unwrap();
    let files = |cells: &[Cell]| {
        let mut files: Vec<_> = cells.iter().map(|cell| (UnusedKind::Cell, cell_file(&cell.id))).collect();
        files.sort();
        files
    };
    assert_eq!(listed(&folder.runs), files(&cells));

    // An unfinished newest run may reuse the first one.
    drop(folder.start(&plan(&[("seed", vec!["1"])])));
    assert_eq!(listed(&folder.runs), files(&cells[1..]));
    // The picks of a folder that is not a run any more.
    let picks = folder.runs.root().join("test/7");
    std::fs::create_dir_all(&picks).unwrap();
    std::fs::write(picks.join("picks.toml"), format!("[cells.{}]\nmark = \"pick\"\n", cells[1].id)).unwrap();
    assert_eq!(listed(&folder.runs), files(&cells[2..]));
    // A damaged row whose cell cannot be read: nothing is certain any more.
    let run = folder.runs.find("test").unwrap();
    let log = run.dir().join("log.csv");
    let text = std::fs::read_to_string(&log).unwrap() + "damaged,row\n";
    std::fs::write(&log, &text).unwrap();
    let unused = folder.runs.unused(LATER).unwrap();
    assert_eq!((unused.files.len(), unused.notes.len()), (0, 1), "{unused:?}");
    assert!(unused.notes[0].ends_with("unused cells are kept"), "{:?}", unused.notes);
    std::fs::write(&log, text.replace("damaged,row\n", "")).unwrap();

    let unused = folder.runs.unused(LATER).unwrap();
    // One of the listed cells is used by the time it is removed.
    std::fs::write(picks.join("picks.toml"), format!("{} {}", cells[1].id, cells[2].id)).unwrap();
    assert_eq!(
        found(&folder.runs.remove_unused(&unused, LATER).unwrap(), folder.runs.root()),
        files(&cells[3..])
    );
    let left: Vec<bool> = cells.iter().map(|cell| folder.runs.has_cell(&cell.id)).collect();
    assert_eq!(left, [true, true, true, false]);
}

#[test]
fn a_run_in_progress_is_left_alone() {
    let folder = Folder::new();
    let mut writer = folder.start(&cats());
    let cells = whole(&mut writer);
    let temporary = writer.run().dir().join("images/.writing-abc");
    std::fs::write(&temporary, "half").unwrap();
    let unused = folder.runs.unused(LATER).unwrap();
    assert_eq!(unused.files, []);
    assert_eq!(unused.notes, ["`test@1` is being rendered, so its files are kept"]);
    drop(writer);
    assert_eq!(listed(&folder.runs), [(UnusedKind::Temporary, "test/1/images/.writing-abc".to_owned())]);
    assert_eq!(folder.runs.unused(0).unwrap().files, [], "it is recent");
    assert_eq!(cells.len(), 4);
}

#[test]
fn drafts_and_thumbnails_are_unused_once_they_are_replaced() {
    let folder = Folder::new();
    let mut writer = folder.start(&cats());
    let plan = writer.plan();
    let finals: Vec<Cell> = plan.cells().map(Result::unwrap).collect();
    let drafts: Vec<Cell> =
        finals.iter().map(|cell| DraftSettings::default().draft(&plan, cell).unwrap()).collect();
    let of: HashMap<_, _> =
        drafts.iter().zip(&finals).map(|(draft, cell)| (draft.id, vec![cell.id])).collect();
    writer.begin_drafts(of).unwrap();
    for draft in &drafts {
        writer.finish(draft, &image(draft), 0.5, "cpu", Remarks::default()).unwrap();
    }
    writer.end_drafts();
    finish(&mut writer, 0);
    let dir = writer.run().dir().to_owned();
    let shown: Vec<_> = writer.run().drafts().unwrap().into_keys().collect();
    assert_eq!((shown.len(), writer.run().log().unwrap().len()), (4, 1));
    drop(writer);
    for cell in &finals[..2] {
        let name = format!("page/thumbnails/160/{}.webp", &cell.id.to_string()[..16]);
        crate::write_atomic(&dir.join(name), b"").unwrap();
    }
    crate::write_atomic(&dir.join("page/thumbnails/160/0123456789abcdef.webp"), b"").unwrap();
    crate::write_atomic(&dir.join("page/thumbnails/160/mine.webp"), b"").unwrap();

    let rows = folder.runs.find("test").unwrap().drafts().unwrap();
    let mut expected = vec![
        (UnusedKind::Cell, cell_file(&drafts[0].id)),
        (UnusedKind::Draft, format!("test/1/{}", rows[&finals[0].id].image().unwrap())),
        (UnusedKind::Thumbnail, "test/1/page/thumbnails/160/0123456789abcdef.webp".to_owned()),
    ];
    expected.sort();
    assert_eq!(listed(&folder.runs), expected);
    let unused = folder.runs.unused(LATER).unwrap();
    folder.runs.remove_unused(&unused, LATER).unwrap();
    assert_eq!(listed(&folder.runs), []);
}

#[test]
fn remains_of_killed_processes_are_found() {
    let folder = Folder::new();
    drop(folder.start(&cats()));
    let root = folder.runs.root();
    for file in [
        ".writing-1",
        ".cells/ab/.writing-2",
        "test/.writing-3",
        "test/.starting/plan.json",
        "test/7/.removing",
    ] {
        crate::write_atomic(&root.join(file), b"").unwrap();
    }
    crate::write_atomic(&root.join("test/8/plan.txt"), b"").unwrap();
    let unused = folder.runs.unused(LATER).unwrap();
    assert_eq!(unused.files.len(), 5, "{unused:?}");
    folder.runs.remove_unused(&unused, LATER).unwrap();
    assert_eq!(listed(&folder.runs), []);
    assert!(!root.join("test/.starting").exists() && !root.join("test/7").exists());
    assert!(root.join("test/8/plan.txt").exists() && root.join("test/1/plan.json").exists());
}

#[test]
fn a_run_with_picks_is_removed_only_with_them() {
    let folder = Folder::new();
    let mut writer = folder.start(&cats());
    let cells = whole(&mut writer);
    let run = writer.run().clone();
    drop(writer);
    std::fs::write(run.dir().join("picks.toml"), format!("[cells.{}]\nmark = \"pick\"\n", cells[1].id))
        .unwrap();
    let error = folder.runs.remove_run(&run, false, LATER).unwrap_err();
    assert_eq!(error.to_string(), "`test@1` has 1 pick");
    assert!(run.dir().exists());
    folder.runs.remove_run(&run, true, LATER).unwrap();
    assert!(!run.dir().exists() && !folder.runs.has_cell(&cells[1].id));
}
