//! The whole pipeline with the bundled model, from a file to pictures, log and sheets: first runs, resumed, extended and
//! interrupted ones.

use crate::support::Workspace;
use std::collections::BTreeMap;
use std::fs;

const SMALL: &str = r#"
title = "Small"
prompt = "portrait of a man with a beard, by {artist}"
init_image = "references/selfie.png"
steps = 3

[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

/// The log as a table: for each row, its values by column.
pub fn log(workspace: &Workspace, run: &str) -> Vec<BTreeMap<String, String>> {
    let text = workspace.read(&format!("runs/{run}/log.csv"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        headers.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The bytes of a run's pictures, by cell.
fn pictures(workspace: &Workspace, run: &str) -> BTreeMap<String, Vec<u8>> {
    let picture = |row: &BTreeMap<String, String>| {
        let path = workspace.path().join("runs").join(run).join(&row["image"]);
        (row["cell"].clone(), fs::read(path).unwrap())
    };
    log(workspace, run).iter().map(picture).collect()
}

#[test]
fn a_run_writes_pictures_a_log_and_a_sheet() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("small.toml", SMALL);
    let ended = workspace.maquette(&["run", "small.toml"]).code(0);
    let sheet = ended.stdout.lines().last().unwrap();
    assert!(workspace.path().join(sheet).is_file() && sheet.ends_with(".png"), "{}", ended.stdout);

    let rows = log(&workspace, "small/1");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(row["status"], "done");
        assert_eq!(row["model"], "sketchbook");
        assert_eq!(row["device"], "cpu");
        assert_eq!(row["dtype"], "f32");
        assert_eq!(row["fingerprint"].len(), 64);
        assert_eq!((row["width"].as_str(), row["steps"].as_str(), row["seed"].as_str()), ("128", "3", "0"));
        assert!(row["prompt"].contains(&row["artist"]));
        assert!(row["seconds"].parse::<f64>().unwrap() > 0.0);
        let picture = image::open(workspace.path().join("runs/small/1").join(&row["image"])).unwrap();
        assert_eq!((picture.width(), picture.height()), (128, 128));
    }
    let different: std::collections::BTreeSet<_> = pictures(&workspace, "small/1").into_values().collect();
    assert_eq!(different.len(), 4, "the pictures of different cells differ");

    let info = workspace.maquette(&["show", &format!("runs/small/1/{}", rows[0]["image"])]).code(0).stdout;
    assert!(
        info.contains(&rows[0]["cell"]) && info.contains("strength") && info.contains("artist"),
        "{info}"
    );
}

#[test]
fn an_unchanged_experiment_is_resumed_and_an_extended_one_reuses_cells() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("small.toml", SMALL);
    workspace.maquette(&["run", "small.toml"]).code(0);
    let before = pictures(&workspace, "small/1");

    workspace.maquette(&["run", "small.toml"]).code(0).says(&["4 already done, nothing to render"]);
    assert_eq!(log(&workspace, "small/1").len(), 4);

    workspace.write(
        "small.toml",
        SMALL.replace("[0.4, 0.9]", "[0.4, 1.0, 0.9]").replace("\"Small\"", "\"Grown\""),
    );
    let ended = workspace.maquette(&["run", "small.toml"]).code(0);
    ended.says(&["new run, the experiment has changed", "6 cells, 4 reused from other runs, 2 to render"]);
    let rows = log(&workspace, "small/2");
    assert_eq!(rows.iter().filter(|row| row["reused"] == "small@1").count(), 4);
    let after = pictures(&workspace, "small/2");
    assert!(before.iter().all(|(cell, bytes)| after[cell] == *bytes));
}

#[test]
fn an_interrupted_and_resumed_run_has_the_same_results() {
    let whole = Workspace::new().with_selfie();
    let broken = Workspace::new().with_selfie();
    let many = SMALL.replace("[0.4, 0.9]", "[0.4, 0.9]\nseed = { count = 8 }");
    for workspace in [&whole, &broken] {
        workspace.write("many.toml", &many);
    }
    whole.maquette(&["run", "many.toml", "--no-sheets"]).code(0);

    // Killed as soon as three cells are finished.
    let mut running = broken.start_run(&["many.toml", "--no-sheets", "--rows", "2"]);
    running.wait_for("finished", 3);
    running.kill();
    let finished = log(&broken, "many/1").len();
    assert!((3..32).contains(&finished), "{finished} cells were finished");

    // A row torn by the kill is cut off.
    let log_file = broken.path().join("runs/many/1/log.csv");
    let mut torn = fs::read(&log_file).unwrap();
    torn.extend_from_slice(b"0123abcd,done,images/x");
    fs::write(&log_file, torn).unwrap();

    broken.maquette(&["run", "many.toml", "--no-sheets"]).code(0).says(&["already done"]);
    assert_eq!(log(&broken, "many/1").len(), 32);
    assert_eq!(pictures(&broken, "many/1"), pictures(&whole, "many/1"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_cells_in_flight_and_keeps_them() {
    let workspace = Workspace::new().with_selfie();
    workspace.write("many.toml", SMALL.replace("[0.4, 0.9]", "[0.4, 0.9]\nseed = { count = 30 }"));
    let mut running = workspace.start_run(&["many.toml", "--no-sheets", "--rows", "4"]);
    running.wait_for("finished", 1);
    let signal = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(signal.unwrap().success());
    assert_eq!(running.code(), Some(130));
    let rows = log(&workspace, "many/1");
    assert!(rows.len() < 120 && rows.iter().all(|row| row["status"] == "done"));
    workspace.maquette(&["run", "many.toml", "--no-sheets", "--only", "seed=0"]).code(0);
}

#[test]
fn a_failed_cell_is_a_row_and_the_run_continues() {
    let workspace = Workspace::new();
    workspace.write("fails.toml", "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"bomb\", \"dog\"]\n");
    let run = |fail_on: &str| {
        let mut command = workspace.command(&["run", "fails.toml", "--backend", "fake"]);
        command.env("MAQUETTE_FAKE_FAIL_ON", fail_on).output().unwrap()
    };
    let output = run("bomb");
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 rendered, 0 finished earlier, 1 failed"));
    let failed: Vec<_> =
        log(&workspace, "fails/1").into_iter().filter(|row| row["status"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0]["prompt"] == "a bomb" && !failed[0]["error"].is_empty() && failed[0]["image"].is_empty()
    );
    // Only the failed cell is tried again.
    let output = run("no-such-text");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 rendered, 2 finished earlier, 0 failed"));
}

#[test]
fn shards_share_the_work_and_the_run() {
    let workspace = Workspace::new();
    workspace.write("shards.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 7 }\n");
    for shard in ["1/3", "2/3", "3/3"] {
        workspace.maquette(&["run", "shards.toml", "--backend", "fake", "--shard", shard]).code(0);
    }
    workspace.maquette(&["run", "shards.toml", "--backend", "fake"]).code(0).says(&["7 already done"]);
}
