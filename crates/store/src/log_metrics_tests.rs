//! Metrics in logs: columns are added and replaced, and everything else stays.

use crate::run_tests::{Folder, finish};
use crate::{Log, Run, RunWriter, StartReason, Status, StoreError};
use maquette_core::test_plans::plan;
use maquette_core::{CellId, MetricsSpec, Plan};
use std::collections::HashMap;
use std::path::PathBuf;

/// Four cells.
fn seeds() -> Plan {
    plan(&[("seed", vec!["1", "2", "3", "4"])])
}

/// A run whose first two cells are done and whose third has failed.
fn rendered(folder: &Folder, plan: &Plan) -> (Run, Vec<CellId>) {
    let mut writer = folder.start(plan);
    finish(&mut writer, 0);
    finish(&mut writer, 1);
    let failed = writer.plan().cell(2).unwrap();
    writer.fail(&failed, "no, \"memory\"", "cpu").unwrap();
    let cells = (0..plan.len()).map(|index| writer.plan().id(index).unwrap()).collect();
    (writer.run().clone(), cells)
}

fn log_path(run: &Run) -> PathBuf {
    run.dir().join("log.csv")
}

fn values<const N: usize>(cells: &[CellId], texts: [&[&str]; N]) -> HashMap<CellId, Vec<String>> {
    let texts = texts.map(|texts| texts.iter().map(|&text| text.to_owned()).collect());
    cells.iter().copied().zip(texts).collect()
}

fn metric<'a>(log: &'a Log, cells: &[CellId], name: &str) -> Vec<Option<&'a str>> {
    let row = |cell: &CellId| log.rows.iter().find(|row| row.cell() == *cell);
    cells.iter().map(|cell| row(cell).and_then(|row| row.metric(name))).collect()
}

#[test]
fn columns_are_added_at_the_end_and_replaced() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    let before = std::fs::read_to_string(log_path(&run)).unwrap();
    let writer = run.metrics_writer().unwrap();
    writer.write(&["ssim", "phash"], &values(&cells, [&["0.5", "00ff"], &["", "a,b"]])).unwrap();
    writer.write(&["sharpness", "ssim"], &values(&cells, [&["3", "0.25"]])).unwrap();
    let log = run.read_log().unwrap();
    assert_eq!(metric(&log, &cells, "ssim"), [Some("0.25"), None, None, None]);
    assert_eq!(metric(&log, &cells, "phash"), [Some("00ff"), Some("a,b"), None, None]);
    assert_eq!(metric(&log, &cells, "sharpness"), [Some("3"), None, None, None]);
    assert_eq!(log.rows[2].error(), Some("no, \"memory\""));
    let after = std::fs::read_to_string(log_path(&run)).unwrap();
    assert!(after.lines().next().unwrap().ends_with(",pixels,format,ssim,phash,sharpness"));
    for (before, after) in before.lines().zip(after.lines()) {
        assert!(after.starts_with(before), "{before}\n{after}");
    }
}

#[test]
fn a_resumed_run_keeps_metrics_and_leaves_those_of_new_rows_empty() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    run.metrics_writer().unwrap().write(&["ssim"], &values(&cells, [&["0.5"], &["0.75"]])).unwrap();
    let mut writer: RunWriter = folder.start(&seeds());
    assert_eq!(writer.start_reason(), StartReason::Resumed);
    finish(&mut writer, 3);
    let log = run.read_log().unwrap();
    assert!(log.damaged.is_empty(), "{:?}", log.damaged);
    assert_eq!(metric(&log, &cells, "ssim"), [Some("0.5"), Some("0.75"), None, None]);
    assert_eq!(log.rows[3].status(), Status::Done);
    assert!(log.rows[3].pixels().is_some());
}

#[test]
fn a_placeholder_may_have_the_name_of_a_metric() {
    let folder = Folder::new();
    let plan = plan(&[("ssim", vec!["soft"]), ("seed", vec!["1", "2", "3"])]);
    let (run, cells) = rendered(&folder, &plan);
    run.metrics_writer().unwrap().write(&["ssim"], &values(&cells, [&["0.5"]])).unwrap();
    let log = run.read_log().unwrap();
    assert_eq!((log.rows[0].get("ssim"), log.rows[0].metric("ssim")), (Some("soft"), Some("0.5")));
    assert_eq!((log.rows[1].get("ssim"), log.rows[1].metric("ssim")), (Some("soft"), None));
}

#[test]
fn a_run_in_use_is_refused() {
    let folder = Folder::new();
    let (run, _) = rendered(&folder, &seeds());
    let rendering = folder.start(&seeds());
    let error = run.metrics_writer().err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert_eq!(error.hint().as_deref(), Some("Wait for it to end, then measure again."));
    drop(rendering);
    let measuring = run.metrics_writer().unwrap();
    assert!(run.metrics_writer().is_err());
    drop(measuring);
    assert_eq!(folder.start(&seeds()).start_reason(), StartReason::Resumed);
}

#[test]
fn damaged_rows_keep_their_bytes_and_a_torn_row_is_cut_off() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    let mut bytes = std::fs::read(log_path(&run)).unwrap();
    let second = String::from_utf8(bytes.clone()).unwrap().find(&cells[1].to_string()).unwrap();
    bytes[second + 65..second + 69].copy_from_slice(b"\xffone");
    bytes.extend(b"0123,torn \"");
    std::fs::write(log_path(&run), &bytes).unwrap();
    let damaged = run.read_log().unwrap().damaged;
    assert_eq!(damaged.len(), 1);
    run.metrics_writer().unwrap().write(&["ssim"], &values(&cells, [&["0.5"], &["0.75"]])).unwrap();
    let log = run.read_log().unwrap();
    assert_eq!(log.damaged, damaged);
    assert_eq!(metric(&log, &cells, "ssim"), [Some("0.5"), None, None, None]);
    let after = std::fs::read(log_path(&run)).unwrap();
    let line = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').nth(2).unwrap().to_vec();
    assert_eq!(line(&after), line(&bytes));
    assert!(!String::from_utf8_lossy(&after).contains("torn"));
}

#[test]
fn a_damaged_row_does_not_become_valid() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    let text = std::fs::read_to_string(log_path(&run)).unwrap();
    // One field too many: right for a log with one metric.
    let second = text.lines().nth(2).unwrap();
    let edited = text.replace(second, &format!("{second},stray"));
    std::fs::write(log_path(&run), &edited).unwrap();
    let writer = run.metrics_writer().unwrap();
    let error = writer.write(&["ssim"], &values(&cells, [&["0.5"]])).unwrap_err();
    assert!(error.to_string().contains("has a damaged row on line 3 that would count as valid"), "{error}");
    assert_eq!(std::fs::read_to_string(log_path(&run)).unwrap(), edited, "nothing was changed");
    writer.write(&["ssim", "phash"], &values(&cells, [&["0.5", "0f"]])).unwrap();
    assert_eq!(run.read_log().unwrap().damaged.len(), 1);
}

#[test]
fn logs_of_older_versions_get_columns_too() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    let text = std::fs::read_to_string(log_path(&run)).unwrap();
    // Without the last column, and saved by a spreadsheet.
    let older: String =
        text.lines().map(|line| format!("{}\r\n", line.rsplit_once(',').unwrap().0)).collect();
    std::fs::write(log_path(&run), format!("\u{feff}{older}")).unwrap();
    run.metrics_writer().unwrap().write(&["ssim"], &values(&cells, [&["0.5"]])).unwrap();
    let log = run.read_log().unwrap();
    assert_eq!((log.rows.len(), log.damaged.len()), (3, 0));
    assert_eq!(log.rows[0].metrics().collect::<Vec<_>>(), [("ssim", "0.5")]);
    assert_eq!(log.rows[0].device(), Some("cpu"));
    std::fs::write(log_path(&run), "a,b\n1,2\n").unwrap();
    let error = run.metrics_writer().unwrap().write(&["ssim"], &HashMap::new()).unwrap_err();
    assert!(error.to_string().contains("does not begin with the header of a log"), "{error}");
}

#[test]
fn a_lost_header_loses_the_names_of_metrics_alone() {
    let folder = Folder::new();
    let (run, cells) = rendered(&folder, &seeds());
    run.metrics_writer().unwrap().write(&["ssim"], &values(&cells, [&["0.5"]])).unwrap();
    let text = std::fs::read_to_string(log_path(&run)).unwrap();
    std::fs::write(log_path(&run), text.replacen("cell,", "c\"ell,", 1)).unwrap();
    let log = run.read_log().unwrap();
    assert_eq!((log.rows.len(), log.damaged.len()), (3, 1), "{:?}", log.damaged);
    assert_eq!(log.rows[0].status(), Status::Done);
    // The first row joined to the header is no list of metrics.
    std::fs::write(log_path(&run), text.replacen('\n', ",", 1)).unwrap();
    assert!(run.metrics_writer().unwrap().write(&["ssim"], &HashMap::new()).is_err());
    assert_eq!(folder.start(&seeds()).start_reason(), StartReason::OtherVersion);
}

#[test]
fn other_metrics_resume_the_same_run() {
    let folder = Folder::new();
    let mut plan = seeds();
    drop(folder.start(&plan));
    plan.metrics = MetricsSpec { measure: vec!["ssim".to_owned()], ..MetricsSpec::default() };
    let writer = folder.start(&plan);
    assert_eq!(writer.start_reason(), StartReason::Resumed);
    assert_eq!(writer.plan().metrics, plan.metrics);
    assert_eq!(writer.run().plan().unwrap().metrics, plan.metrics);
}
