//! Damaged logs: intact rows are read, damaged ones are reported, and the run can be resumed.

use crate::{DamagedRow, LogRow, RunWriter, Runs, Status};
use maquette_core::test_plans::{image, plan};
use maquette_core::{CellId, Digest, Plan, Remarks};
use proptest::prelude::*;
use std::path::PathBuf;
use tempfile::TempDir;

/// A run of six cells, the fifth of them failed, with prompts that need quotes.
struct Folder {
    _dir: TempDir,
    runs: Runs,
    plan: Plan,
    cells: Vec<CellId>,
    whole: Vec<u8>,
}

impl Folder {
    fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::open(dir.path()).unwrap();
        let mut plan =
            plan(&[("artist", vec!["Mucha", "\"Munch\", Edvard", ",\nKlimt"]), ("seed", vec!["1", "2"])]);
        plan.base[1].1 = "{artist} paints,\nand signs \"{artist}\"".into();
        let mut folder = Folder { _dir: dir, runs, plan, cells: vec![], whole: vec![] };
        let mut run = folder.start();
        for index in 0..folder.plan.len() {
            let cell = run.plan().cell(index).unwrap();
            folder.cells.push(cell.id);
            match index {
                4 => run.fail(&cell, "no\nmemory", "cpu").unwrap(),
                _ => run.finish(&cell, &image(&cell), 1.0, "cpu", Remarks::default()).unwrap(),
            };
        }
        drop(run);
        folder.whole = std::fs::read(folder.path()).unwrap();
        folder
    }

    fn start(&self) -> RunWriter {
        self.runs.start("test", "", &self.plan, &Digest::of(b"asked"), None).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.runs.root().join("test/1/log.csv")
    }

    /// The cells that are read from a log of these bytes, and the damaged rows.
    fn read(&self, bytes: &[u8]) -> (Vec<CellId>, Vec<DamagedRow>) {
        std::fs::write(self.path(), bytes).unwrap();
        let log = self.runs.find("test@1").unwrap().read_log().unwrap();
        (log.rows.iter().map(LogRow::cell).collect(), log.damaged)
    }

    /// Where each row begins in the whole log.
    fn starts(&self) -> Vec<usize> {
        let text = String::from_utf8(self.whole.clone()).unwrap();
        self.cells.iter().map(|cell| text.find(&cell.to_string()).unwrap()).collect()
    }

    /// The whole log with something in place of a range.
    fn damaged(&self, from: usize, to: usize, with: &[u8]) -> Vec<u8> {
        [&self.whole[..from], with, &self.whole[to..]].concat()
    }
}

#[test]
fn a_damaged_row_is_named_and_the_others_are_read() {
    let folder = Folder::new();
    let starts = folder.starts();
    let (second, third) = (starts[1], starts[2]);
    let columns = String::from_utf8_lossy(&folder.whole).lines().next().unwrap().split(',').count();
    let fields = |count: usize| format!("has {count} fields; allowed: {columns}");
    let check = |bytes: Vec<u8>, expected: &str| {
        let (cells, damaged) = folder.read(&bytes);
        let others: Vec<_> = folder.cells.iter().copied().filter(|cell| *cell != folder.cells[1]).collect();
        assert_eq!(cells, others, "{expected}");
        let [row] = &damaged[..] else { panic!("{damaged:?}") };
        assert_eq!((row.line, row.problem.as_str()), (4, expected));
    };
    let status = second + 65;
    check(folder.damaged(status, status + 4, b"maybe"), "has no valid status; allowed: `done`, `failed`");
    check(folder.damaged(second, second + 1, b"x"), "has no valid cell name");
    check(folder.damaged(third - 1, third - 1, b","), &fields(columns + 1));
    check(folder.damaged(third - 1, third - 1, b"\""), "has a misplaced quote");
    check(folder.damaged(status + 20, status + 24, b"\xff\xfe\xfd\xfc"), "is not UTF-8");
    check(folder.damaged(second, third - 1, &vec![0; third - 1 - second]), &fields(1));
    check(folder.damaged(status + 5, status + 5, b"\""), "has a misplaced quote");
    let (_, damaged) = folder.read(&folder.damaged(status, status + 4, b"maybe"));
    let cell = folder.cells[1];
    assert_eq!(damaged[0].cell, Some(cell));
    let beginning = &cell.to_string()[..24];
    let expected = format!(
        "line 4 of `{}` has no valid status; allowed: `done`, `failed` (`{beginning}…`)",
        folder.path().display()
    );
    assert_eq!(damaged[0].to_string(), expected);
}

#[test]
fn an_unclosed_quote_damages_one_row() {
    let folder = Folder::new();
    let starts = folder.starts();
    // In an empty field at the end of a row.
    let bytes = folder.damaged(starts[3] - 1, starts[3] - 1, b",\"");
    let (cells, damaged) = folder.read(&bytes);
    assert_eq!((cells.len(), damaged.len()), (5, 1), "{damaged:?}");
    // In the last row it looks like a crash: the row is cut off when the run is resumed.
    let bytes = folder.damaged(folder.whole.len() - 1, folder.whole.len() - 1, b",\"");
    assert_eq!(folder.read(&bytes), (folder.cells[..5].to_vec(), vec![]));
}

#[test]
fn a_lost_header_is_taken_from_the_plan() {
    let folder = Folder::new();
    let header = folder.starts()[0];
    for bytes in [
        folder.damaged(4, 5, b""),
        folder.damaged(0, header, &vec![0; header]),
        folder.damaged(0, header, b"\"\n"),
    ] {
        let (cells, damaged) = folder.read(&bytes);
        assert_eq!((cells, damaged.len()), (folder.cells.clone(), 1), "{damaged:?}");
        assert_eq!((damaged[0].line, damaged[0].problem.as_str()), (1, "is not the header of a log"));
    }
    // The rest of the first row looks like the beginning of one: a digest after zeros.
    let text = String::from_utf8(folder.whole.clone()).unwrap();
    let fingerprint = folder.runs.find("test@1").unwrap().log().unwrap()[0].fingerprint().unwrap().to_owned();
    let (cells, _) = folder.read(&folder.damaged(30, text.find(&fingerprint).unwrap(), &[0]));
    assert_eq!(cells, folder.cells[1..]);
    // The byte order mark and line ends of spreadsheets.
    let saved = format!("\u{feff}{}", text.replace(",\n", ",\r\n"));
    let (cells, damaged) = folder.read(saved.as_bytes());
    assert_eq!((cells.len(), damaged), (6, vec![]));
    let (cells, damaged) = folder.read(b"a shopping list\nmilk\n");
    assert_eq!((cells, damaged.len()), (vec![], 1));
}

#[test]
fn a_run_is_resumed_after_a_damaged_row() {
    let folder = Folder::new();
    let second = folder.starts()[1];
    let bytes = folder.damaged(second + 65, second + 69, b"do\"e");
    std::fs::write(folder.path(), &bytes).unwrap();
    let mut run = folder.start();
    assert_eq!(run.run().to_string(), "test@1");
    assert_eq!(run.damaged_rows().len(), 1);
    let (done, problems) = run.check_done(&folder.cells);
    assert_eq!((done.len(), problems), (4, vec![]), "the failed and the damaged one are to do");
    let cell = run.plan().cell(1).unwrap();
    run.finish(&cell, &image(&cell), 2.0, "cpu", Remarks::default()).unwrap();
    let after = std::fs::read(folder.path()).unwrap();
    assert!(after.starts_with(&bytes), "nothing that was written is changed");
    let log = run.run().read_log().unwrap();
    assert_eq!((log.rows.len(), log.damaged.len()), (6, 1));
    drop(run);
    assert_eq!(folder.start().check_done(&folder.cells).0.len(), 5);
}

#[test]
fn columns_of_another_version_are_read_by_name() {
    let folder = Folder::new();
    let cell = folder.cells[0];
    let (cells, damaged) =
        folder.read(format!("colour,status,cell\nred,done,{cell}\nblue,done\n").as_bytes());
    assert_eq!(cells, [cell]);
    assert_eq!(damaged.len(), 1);
    let log = folder.runs.find("test@1").unwrap().log().unwrap();
    assert_eq!((log[0].get("colour"), log[0].status(), log[0].pixels()), (Some("red"), Status::Done, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damage_leaves_every_other_row_readable(
        from in 0.0..1.0f64,
        length in 0usize..600,
        with in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(prop::sample::select(b"\",\n\r0a\0".to_vec()), 0..40),
            (0usize..600).prop_map(|length| vec![0; length]),
        ],
    ) {
        thread_local!(static FOLDER: Folder = Folder::new());
        FOLDER.with(|folder| {
            let from = (from * folder.whole.len() as f64) as usize;
            let to = (from + length).min(folder.whole.len());
            let bytes = folder.damaged(from, to, &with);
            let (cells, _) = folder.read(&bytes);
            let mut ends = folder.starts().split_off(1);
            ends.push(folder.whole.len());
            for ((cell, start), end) in folder.cells.iter().zip(folder.starts()).zip(ends) {
                // A row is intact if its line break and the one before it are.
                if to < start || end <= from {
                    prop_assert!(cells.contains(cell), "{}", String::from_utf8_lossy(&bytes));
                }
            }
            // The writer keeps the rows that the reader finds.
            let after = folder.start();
            if after.run().number() == 1 {
                prop_assert_eq!(after.run().log().unwrap().len(), cells.len());
            } else {
                std::fs::remove_dir_all(after.run().dir()).unwrap();
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_log_that_is_cut_anywhere_in_its_last_rows_is_continued_to_the_same_log() {
    let folder = Folder::new();
    let starts = folder.starts();
    for end in starts[4]..folder.whole.len() {
        let rows = starts.iter().skip(1).filter(|start| **start <= end).count();
        assert_eq!(
            folder.read(&folder.whole[..end]),
            (folder.cells[..rows].to_vec(), vec![]),
            "cut at {end}"
        );
        // Each wait for the disk takes some milliseconds.
        if end % 29 > 0 && !starts.contains(&end) {
            continue;
        }
        let mut run = folder.start();
        assert_eq!((run.run().log().unwrap().len(), run.damaged_rows()), (rows, &[][..]), "cut at {end}");
        for index in rows..6 {
            let cell = run.plan().cell(index).unwrap();
            match index {
                4 => run.fail(&cell, "no\nmemory", "cpu").unwrap(),
                _ => run.finish(&cell, &image(&cell), 1.0, "cpu", Remarks::default()).unwrap(),
            };
        }
        drop(run);
        assert!(std::fs::read(folder.path()).unwrap() == folder.whole, "cut at {end}");
    }
}

#[test]
fn a_page_of_zeros_takes_only_the_rows_it_covers() {
    let folder = Folder::new();
    let length = 512;
    for page in 0..folder.whole.len().div_ceil(length) {
        let (from, to) = (page * length, ((page + 1) * length).min(folder.whole.len()));
        std::fs::write(folder.path(), folder.damaged(from, to, &vec![0; to - from])).unwrap();
        let mut run = folder.start();
        if run.run().number() > 1 {
            // Without its header, a log cannot be continued; its pictures are reused in a new run.
            assert!(from < folder.starts()[0]);
            std::fs::remove_dir_all(run.run().dir()).unwrap();
            continue;
        }
        let done = run.check_done(&folder.cells).0;
        let starts = folder.starts();
        for (index, cell) in folder.cells.iter().enumerate().filter(|(index, _)| *index != 4) {
            let end = starts.get(index + 1).copied().unwrap_or(folder.whole.len());
            let is_covered = starts[index] < to && from < end;
            assert!(is_covered || done.contains(cell), "page {page}, row {index}");
        }
    }
}
