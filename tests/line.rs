//! What `maquette run` prints, how it ends, and what is left when it is interrupted or killed.

use crate::support::{Ended, Workspace};
use std::collections::BTreeMap;
use std::fs;

const SMALL: &str = r#"
prompt = "portrait of a man with a beard, by {artist}"
init_image = "references/selfie.png"
steps = 3

[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

/// The log as a table: for each row, its values by column.
fn log(workspace: &Workspace, run: &str) -> Vec<BTreeMap<String, String>> {
    let text = workspace.read(&format!("runs/{run}/log.csv"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        headers.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The bytes of a run's pictures by cell.
fn pictures(workspace: &Workspace, run: &str) -> BTreeMap<String, Vec<u8>> {
    let picture = |row: &BTreeMap<String, String>| {
        let path = workspace.path().join("runs").join(run).join(&row["image"]);
        (row["cell"].clone(), fs::read(path).unwrap())
    };
    log(workspace, run).iter().map(picture).collect()
}

#[test]
fn an_interrupted_run_ends_as_if_it_had_never_been() {
    let whole = Workspace::new().with_selfie();
    let broken = Workspace::new().with_selfie();
    let many = SMALL.replace("[0.4, 0.9]", "[0.4, 0.9]\nseed = { count = 8 }");
    for workspace in [&whole, &broken] {
        workspace.write("many.toml", &many);
    }
    whole.maquette(&["run", "many.toml", "--no-sheets"]).code(0);

    // Killed without warning as soon as something is finished.
    let mut running = broken.start_run(&["many.toml", "--no-sheets", "--rows", "2"]);
    running.wait_for("finished", 3);
    running.kill();
    let finished = log(&broken, "many/1").len();
    assert!((3..32).contains(&finished), "{finished} cells were finished");

    // A row that was torn by the kill is cut.
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
fn a_run_prints_its_log_sheets_and_page_and_says_what_it_did() {
    let workspace = Workspace::new();
    let cats = "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"dog\"]\n";
    workspace.write("cats.toml", cats);
    let run = ["run", "cats.toml", "--backend", "fake"];
    let ended = workspace.maquette(&run).code(0);
    let printed: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(printed[0], "runs/cats/1/log.csv");
    let [.., sheet, page] = printed[..] else { panic!("{printed:?}") };
    assert!(workspace.path().join(sheet).is_file() && sheet.ends_with(".png"), "{printed:?}");
    assert!(workspace.path().join(page).is_file() && page == "runs/cats/1/index.html", "{printed:?}");
    let row = log(&workspace, "cats/1").remove(0);
    let picture = image::open(workspace.path().join("runs/cats/1").join(&row["image"])).unwrap();
    assert_eq!(picture.width().to_string(), row["width"]);
    let shown = workspace.maquette(&["show", &format!("runs/cats/1/{}", row["image"])]).code(0).stdout;
    assert!([&row["cell"], "steps", "thing"].iter().all(|part| shown.contains(*part)), "{shown}");

    workspace
        .maquette(&run)
        .code(0)
        .says(&["resuming, the experiment is unchanged", "2 already done, nothing to render"]);
    workspace.write("cats.toml", cats.replace("[\"cat\"", "[\"owl\", \"cat\""));
    let says = ["new run, the experiment has changed", "3 cells, 2 reused from other runs, 1 to render"];
    workspace.maquette(&run).code(0).says(&says).says(&["1 rendered, 2 finished earlier, 0 failed"]);
}

#[test]
fn a_cell_that_fails_is_named_and_has_an_exit_code() {
    let workspace = Workspace::new();
    workspace.write("fails.toml", "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"bomb\", \"dog\"]\n");
    let mut command = workspace.command(&["run", "fails.toml", "--backend", "fake"]);
    let ended = Ended::of(command.env("MAQUETTE_FAKE_FAIL_ON", "bomb")).code(5);
    ended.says(&["2 rendered, 0 finished earlier, 1 failed", "bomb: "]);
}

#[test]
fn shards_are_an_option() {
    let workspace = Workspace::new();
    workspace.write("shards.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 7 }\n");
    let run =
        |shard: &str| workspace.maquette(&["run", "shards.toml", "--backend", "fake", "--shard", shard]);
    run("2/3").code(0).says(&["2 rendered"]);
    run("4/3").code(3).says(&["4/3"]);
}
