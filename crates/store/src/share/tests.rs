//! Workers in one run: pictures and rows are created once, and folded into the log.

use crate::run_tests::{Folder, artists, finish};
use crate::{LogRow, Reuse, SharedWriter, Status, StoreError};
use maquette_core::test_plans::{image, plan};
use maquette_core::{Cell, CellId, Image, Plan, Remarks};
use maquette_share::{Objects, row_key};
use std::time::Duration;

fn join(folder: &Folder, plan: &Plan) -> SharedWriter {
    folder.runs.join(&plan.name, "title = \"Test\"\n", plan, &Folder::source(plan)).unwrap()
}

fn cell(run: &SharedWriter, index: usize) -> Cell {
    run.plan().cell(index).unwrap()
}

fn key(cell: &Cell) -> String {
    row_key(0, &cell.id.to_string())
}

fn render(run: &SharedWriter, cell: &Cell, image: &Image) {
    run.finish(&key(cell), cell, image, (1.5, "cpu"), Remarks::default()).unwrap();
}

fn cells(rows: &[LogRow]) -> Vec<(CellId, Status)> {
    rows.iter().map(|row| (row.cell(), row.status())).collect()
}

/// The only row of a cell, whose picture must have its pixels.
fn sound_row(run: &SharedWriter, cell: &Cell) -> LogRow {
    let rows: Vec<_> = run.run().log().unwrap().into_iter().filter(|row| row.cell() == cell.id).collect();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let picture = maquette_picture::decode(&run.run().dir().join(row.image().unwrap())).unwrap();
    assert_eq!(Some(picture.digest()), row.pixels());
    row.clone()
}

#[test]
fn the_first_picture_and_row_of_a_cell_stay() {
    let folder = Folder::new();
    let (first, second) = (join(&folder, &artists()), join(&folder, &artists()));
    let cell = cell(&first, 0);
    let image = image(&cell);
    // Another device may make other pixels.
    let pixels = image.rgb().iter().map(|value| value ^ 1).collect();
    let other = Image::new(image.width(), image.height(), pixels).unwrap();
    render(&first, &cell, &image);
    render(&second, &cell, &other);
    assert_eq!(sound_row(&first, &cell).pixels(), Some(image.digest()));

    // The first worker was killed before it wrote the row: the row of the second describes the picture that is there.
    std::fs::remove_file(first.objects().file(&key(&cell)).unwrap()).unwrap();
    render(&second, &cell, &other);
    assert_eq!(sound_row(&second, &cell).pixels(), Some(image.digest()));

    // A damaged picture is replaced.
    let row = sound_row(&first, &cell);
    std::fs::write(first.run().dir().join(row.image().unwrap()), "damaged").unwrap();
    std::fs::write(
        folder.runs.root().join(format!(".cells/{}/{}.png", &cell.id.to_string()[..2], cell.id)),
        "damaged",
    )
    .unwrap();
    std::fs::remove_file(first.objects().file(&key(&cell)).unwrap()).unwrap();
    assert!(matches!(second.reuse(&key(&cell), &cell), Ok(Reuse::Unusable(_))));
    render(&second, &cell, &other);
    assert_eq!(sound_row(&second, &cell).pixels(), Some(other.digest()));
}

#[test]
fn rows_are_read_where_they_are_and_then_folded() {
    let folder = Folder::new();
    let seeds = plan(&[("seed", vec!["1", "2", "3", "4"])]);
    let run = join(&folder, &seeds);
    for index in [3, 1, 0] {
        let cell = cell(&run, index);
        render(&run, &cell, &image(&cell));
    }
    let failed = cell(&run, 2);
    run.fail(&key(&failed), &failed, "no luck", "cpu").unwrap();
    // A row that a killed process reserved, where there are no hard links.
    let reserved = run.objects().file(&row_key(1, &failed.id.to_string())).unwrap();
    std::fs::create_dir_all(reserved.parent().unwrap()).unwrap();
    std::fs::write(reserved, "").unwrap();
    let before = run.run().log().unwrap();
    assert_eq!(before.len(), 4);
    let (dir, session) = (run.run().clone(), run.objects().clone());
    assert!(run.fold(Duration::ZERO).unwrap());
    assert_eq!(dir.log().unwrap(), before);
    assert_eq!(std::fs::read_to_string(dir.dir().join("log.csv")).unwrap().lines().count(), 5);
    let left: Vec<_> =
        std::fs::read_dir(session.file("").unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["finished"]);

    // The next worker finds what is left to do, in a session of its own.
    let again = join(&folder, &seeds);
    assert!(!again.is_done(&failed.id) && again.is_done(&before[0].cell()));
    assert_ne!(again.objects().file("").unwrap(), session.file("").unwrap());
    render(&again, &failed, &image(&failed));
    assert!(again.fold(Duration::ZERO).unwrap());
    let log = dir.log().unwrap();
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|row| row.status() == Status::Done), "{:?}", cells(&log));
}

#[test]
fn rows_are_folded_only_when_nobody_else_is_in_the_run() {
    let folder = Folder::new();
    let (one, other) = (join(&folder, &artists()), join(&folder, &artists()));
    let cell = cell(&one, 0);
    render(&one, &cell, &image(&cell));
    let dir = one.run().dir().to_owned();
    let alone = folder.runs.start("test", "", &artists(), &Folder::source(&artists()), None);
    assert!(matches!(alone.err(), Some(StoreError::Locked { .. })));
    assert!(!one.fold(Duration::ZERO).unwrap());
    assert!(!dir.join("log.csv").exists() && dir.join(".share/1/rows").exists());
    drop(other);
    // A process alone in the run continues the log of the workers.
    let mut alone = folder.start(&artists());
    assert!(alone.is_logged(&cell.id));
    assert!(!dir.join(".share/1/rows").exists());
    finish(&mut alone, 1);
    assert_eq!(alone.run().log().unwrap().len(), 2);
}

#[test]
fn the_last_one_out_of_a_run_folds_its_rows() {
    let folder = Folder::new();
    let writers = [0, 1, 2].map(|_| join(&folder, &artists()));
    let [finishing, early, late] = writers;
    let cell = cell(&finishing, 0);
    render(&finishing, &cell, &image(&cell));
    let log = finishing.run().dir().join("log.csv");
    // While the session is open nothing is folded.
    early.leave().unwrap();
    finishing.end_session(finishing.bring_all().unwrap()).unwrap();
    assert!(!finishing.fold(Duration::ZERO).unwrap() && !log.exists());
    late.leave().unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap().lines().count(), 2);
}

#[test]
fn folding_can_be_interrupted_and_repeated() {
    let folder = Folder::new();
    let run = join(&folder, &artists());
    let cell = cell(&run, 0);
    render(&run, &cell, &image(&cell));
    let (dir, rows) = (run.run().clone(), run.objects().file("rows/0/0").unwrap());
    let kept = std::fs::read_dir(&rows).unwrap().next().unwrap().unwrap().path();
    let row = std::fs::read(&kept).unwrap();
    drop(run);
    super::fold(dir.dir()).unwrap();
    // As if the process had been killed before it removed the session.
    std::fs::create_dir_all(&rows).unwrap();
    std::fs::write(&kept, &row).unwrap();
    super::fold(dir.dir()).unwrap();
    assert_eq!(std::fs::read_to_string(dir.dir().join("log.csv")).unwrap().lines().count(), 2);
    assert!(!kept.exists());
    // A damaged row is reported, not removed.
    std::fs::create_dir_all(&rows).unwrap();
    let damaged = String::from_utf8(row).unwrap().replace(",done,", ",dome,");
    std::fs::write(&kept, damaged).unwrap();
    super::fold(dir.dir()).unwrap();
    assert!(kept.exists());
    assert_eq!(dir.read_log().unwrap().damaged.len(), 1);
}

#[test]
fn the_state_of_a_session_names_workers() {
    let folder = Folder::new();
    let run = join(&folder, &artists());
    assert_eq!(run.run().sharing().unwrap(), None);
    for (key, worker) in [
        ("claims/0/0.1", "a"),
        ("claims/0/0.2", "b"),
        ("claims/0/1.1", "a"),
        ("claims/0/1.ended", "a"),
        ("claims/0/2.1", "a"),
        ("claims/0/2.1.back", "a"),
    ] {
        assert!(run.objects().create(key, worker.as_bytes()).unwrap());
    }
    let cell = cell(&run, 0);
    render(&run, &cell, &image(&cell));
    let sharing = run.run().sharing().unwrap().unwrap();
    let counts: Vec<_> =
        sharing.workers.iter().map(|(name, cells)| (&**name, cells.held, cells.recorded)).collect();
    assert_eq!(counts, [("a", 0, 0), ("b", 1, 1)]);
    run.end_session(run.bring_all().unwrap()).unwrap();
    assert_eq!(run.run().sharing().unwrap(), None);
}
