//! Logs from before the column `format`: their fields are read as they are, whatever the placeholders are called.

use crate::run_tests::{Folder, finish};
use crate::{LogRow, Run, StoreError};
use maquette_core::CellId;
use maquette_core::test_plans::plan;
use std::collections::HashMap;
use std::fs;

/// Values that a spreadsheet would run, values that begin with an apostrophe, and one that looks like a newer format.
const VALUES: [&str; 5] = ["=1+1", "'=1+1", "''-x", "'tis", "9"];

/// A run whose placeholder has the name of the column.
fn rendered(folder: &Folder) -> Run {
    let mut plan = plan(&[("format", VALUES.to_vec())]);
    plan.base[1].1 = "{format}".into();
    let mut writer = folder.start(&plan);
    (0..VALUES.len()).for_each(|index| finish(&mut writer, index));
    writer.run().clone()
}

/// Makes the log what an earlier version would have written: without the last column, and without apostrophes.
fn age(run: &Run) -> String {
    let path = run.dir().join("log.csv");
    let mut aged = String::new();
    for line in fs::read_to_string(&path).unwrap().lines() {
        let (row, format) = line.rsplit_once(',').unwrap();
        assert!(matches!(format, "format" | "2"), "{line}");
        aged += &row.replace(",'=1+1,", ",=1+1,").replace(",''=1+1,", ",'=1+1,").replace(",'''-x,", ",''-x,");
        aged.push('\n');
    }
    fs::write(&path, &aged).unwrap();
    aged
}

fn values(run: &Run) -> Vec<String> {
    let log = run.read_log().unwrap();
    log.rows.iter().map(|row| row.get("format").unwrap_or_default().to_owned()).collect()
}

/// Writes a metric whose text is a formula, for every cell.
fn measure(run: &Run) {
    let cells: Vec<CellId> = run.log().unwrap().iter().map(LogRow::cell).collect();
    let texts: HashMap<CellId, Vec<String>> =
        cells.into_iter().map(|cell| (cell, vec!["=2+2".to_owned()])).collect();
    run.metrics_writer().unwrap().write(&["caption"], &texts).unwrap();
    for row in run.log().unwrap() {
        assert_eq!(row.metric("caption"), Some("=2+2"));
    }
}

#[test]
fn fields_are_written_without_formulas_and_read_back() {
    let folder = Folder::new();
    let run = rendered(&folder);
    assert_eq!(values(&run), VALUES);
    measure(&run);
    assert_eq!(values(&run), VALUES);
    let text = fs::read_to_string(run.dir().join("log.csv")).unwrap();
    assert_eq!((text.matches(",'=2+2").count(), text.matches(",=").count()), (VALUES.len(), 0), "{text}");
}

#[test]
fn fields_of_earlier_versions_are_read_as_they_are() {
    let folder = Folder::new();
    let run = rendered(&folder);
    let aged = age(&run);
    assert_eq!(values(&run), VALUES);
    measure(&run);
    assert_eq!(values(&run), VALUES);
    let measured = fs::read_to_string(run.dir().join("log.csv")).unwrap();
    for (before, after) in aged.lines().zip(measured.lines()).skip(1) {
        assert_eq!(after, format!("{before},=2+2"));
    }
    // A lost header is taken from the plan.
    for text in [&aged, &measured] {
        fs::write(run.dir().join("log.csv"), text.replacen("cell,", "ce\"l,", 1)).unwrap();
        assert_eq!(values(&run), VALUES);
    }
}

#[test]
fn a_newer_log_is_refused() {
    let folder = Folder::new();
    let run = rendered(&folder);
    let path = run.dir().join("log.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(",2\n", ",3\n")).unwrap();
    let error = run.read_log().unwrap_err();
    assert!(matches!(error, StoreError::Newer { version: 3, known: 2, .. }), "{error}");
}
