//! Several processes at one run, and cells that fail.

use super::check::{RUN, assert_same, experiment, rows, workspace};
use crate::support::{Ended, Workspace};
use std::process::{Child, Stdio};
use std::time::Duration;

const ARGUMENTS: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "none"];

/// Starts a slow run and waits until it has written a row.
fn start(workspace: &Workspace) -> Child {
    let mut command = workspace.command(&ARGUMENTS);
    command.env("MAQUETTE_FAKE_PAUSE", "60").stdout(Stdio::null()).stderr(Stdio::null());
    let running = command.spawn().unwrap();
    while rows(workspace).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

#[test]
fn a_second_run_says_who_is_in_the_first_and_can_wait() {
    let experiment = experiment(10);
    let [whole, folder] = [(); 2].map(|()| workspace(&experiment));
    whole.maquette(&ARGUMENTS).code(0);
    let mut first = start(&folder);
    let holder = format!("`{RUN}` is in use: process {} ", first.id());
    folder.maquette(&ARGUMENTS).code(7).says(&[
        &holder,
        " since 20",
        " UTC is rendering into this run",
        "`--wait` does",
    ]);
    let waited = folder.maquette(&[&ARGUMENTS[..], &["--wait"]].concat()).code(0);
    waited.says(&["waiting: ", &holder, "0 rendered, 20 finished earlier"]);
    assert!(first.wait().unwrap().success());
    assert_same(&whole, &folder);
}

#[test]
fn a_run_is_read_while_it_is_rendered() {
    let folder = workspace(&experiment(10));
    let mut running = start(&folder);
    let mut reads = 0;
    while running.try_wait().unwrap().is_none() {
        for command in
            [&["verify", "cats", "--sample", "0"][..], &["runs"], &["status", "cats"], &["report", "cats"]]
        {
            folder.maquette(command).code(0);
        }
        rows(&folder);
        reads += 1;
    }
    assert!(reads > 0 && running.wait().unwrap().success());
    folder.maquette(&["verify", "cats", "--backend", "fake"]).code(0);
    assert_eq!(rows(&folder).len(), 20);
}

#[test]
fn cells_fail_alone_and_the_summary_says_why() {
    let folder = workspace(&experiment(15));
    let failing = |variable: &str, arguments: &[&str]| {
        let mut command = folder.command(&[&ARGUMENTS[..], arguments].concat());
        Ended::of(command.env(variable, "Munch").env("MAQUETTE_FAKE_PAUSE", "5")).code(5)
    };
    failing("MAQUETTE_FAKE_FAIL_ON", &["--fail-fast"])
        .says(&["the fake engine fails on `Munch`", "left; run again to resume"]);
    failing("MAQUETTE_FAKE_PANIC_ON", &[])
        .says(&["15 failed", "Munch, seed 1: the engine panicked: the fake engine panics on `Munch`"]);
    folder.maquette(&ARGUMENTS).code(0).says(&["15 rendered, 15 finished earlier, 0 failed"]);
}
