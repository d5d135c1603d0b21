//! Lets what a run needs fail: writes, the disk's space, locks and links, the clock, the files that it names.

use super::check::{RUN, assert_same, check_interrupted, experiment, rows, workspace};
use super::disk::Disk;
use crate::support::{Ended, Random, Workspace};
use std::fs;
use std::process::Command;

const ARGUMENTS: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "none"];

/// Error numbers of Linux.
const EIO: &str = "5";
const ENOSPC: &str = "28";
const EROFS: &str = "30";
const ENOLCK: &str = "37";
const EOPNOTSUPP: &str = "95";

/// A folder in which the experiment was run, undisturbed.
fn whole(experiment: &str) -> Workspace {
    let whole = workspace(experiment);
    whole.maquette(&ARGUMENTS).code(0);
    whole
}

/// Checks a run in which something failed, and that the same command finishes it.
fn check_and_finish(whole: &Workspace, failed: &Workspace) {
    check_interrupted(failed, "fake");
    failed.maquette(&ARGUMENTS).code(0);
    assert_same(whole, failed);
}

/// The n-th operation fails, once or with all after it; every `every`-th n.
fn fail_operations(every: u64, seed: u64) {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(4);
    let whole = whole(&experiment);
    let mut random = Random(seed);
    let recorded = workspace(&experiment);
    disk.record(&recorded, &ARGUMENTS, &[]).code(0);
    let operations = disk.recording(&recorded).len() as u64;
    let (mut at, mut faults) = (1 + random.below(every), 0);
    while at <= operations {
        let (error, name) = [(EIO, "error 5"), (ENOSPC, "The disk is full")][faults % 2];
        let at_text = at.to_string();
        let mut variables = vec![("DISK_FAIL_AT", &*at_text), ("DISK_FAIL_WITH", error)];
        if random.below(2) == 1 {
            variables.push(("DISK_FAIL_ON", "1"));
        }
        let failed = workspace(&experiment);
        let ended = Ended::of(&mut disk.command(&failed, &ARGUMENTS, &variables));
        assert!(matches!(ended.code, 0 | 1), "{variables:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{variables:?}: {}", ended.stderr);
        if ended.code == 1 {
            ended.says(&["cannot", "runs", name]);
        }
        check_and_finish(&whole, &failed);
        faults += 1;
        at += 1 + random.below(2 * every - 1);
    }
    eprintln!("{faults} faults in {operations} operations");
}

#[test]
fn an_operation_that_fails_ends_the_run_with_its_file_and_loses_nothing() {
    fail_operations(9, 1);
}

#[test]
#[ignore = "takes minutes: just soak"]
fn every_operation_that_fails_loses_nothing() {
    fail_operations(1, 2);
}

#[test]
fn a_full_disk_is_named_and_the_run_goes_on_when_there_is_room() {
    let experiment = experiment(40);
    let whole = whole(&experiment);
    let full = workspace(&experiment);
    let runs = full.path().join("runs");
    fs::create_dir(&runs).unwrap();
    let mount = |options: &str| {
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&runs).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !mount("size=200k") {
        return eprintln!("not run: this test needs the right to mount a tmpfs");
    }
    // Unmounted whatever happens.
    struct Mounted<'a>(&'a std::path::Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _mounted = Mounted(&runs);
    full.maquette(&ARGUMENTS).code(1).says(&["cannot", "The disk is full"]);
    check_interrupted(&full, "fake");
    let kept = rows(&full).len();
    assert!(kept > 0 && kept < 80, "{kept} rows");
    assert!(mount("remount,size=100m"));
    full.maquette(&ARGUMENTS).code(0);
    assert_same(&whole, &full);
}

#[test]
fn a_read_only_folder_is_read_and_refused_for_writing() {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(2);
    let whole = whole(&experiment);
    let read_only = [("DISK_FAIL_AT", "1"), ("DISK_FAIL_WITH", EROFS), ("DISK_FAIL_ON", "1")];
    let fresh = workspace(&experiment);
    let refused = |folder: &Workspace| {
        Ended::of(&mut disk.command(folder, &ARGUMENTS, &read_only))
            .code(1)
            .says(&["Read-only", "--runs DIR"])
    };
    refused(&fresh);
    refused(&whole);
    for command in [
        &["verify", "cats", "--backend", "fake"][..],
        &["runs"],
        &["plan", "cats.toml"],
        &["show", &format!("{RUN}/{}", rows(&whole).values().next().unwrap()[2])],
        &["diff", "cats", "cats"],
    ] {
        let ended = Ended::of(&mut disk.command(&whole, command, &read_only));
        assert!(ended.code == 0 || command[0] == "diff" && ended.code == 1, "{command:?}: {ended:?}");
    }
    check_and_finish(&whole, &fresh);
}

#[test]
fn file_systems_without_links_or_locks_give_the_same_runs() {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(4);
    let whole = whole(&experiment);
    let worker = [&ARGUMENTS[..], &["--worker"]].concat();
    for variables in [
        vec![("DISK_NO_LINKS", "1")],
        vec![("DISK_LOCK_ERROR", EOPNOTSUPP)],
        vec![("DISK_LOCK_ERROR", ENOLCK)],
        vec![("DISK_NO_LINKS", "1"), ("DISK_LOCK_ERROR", ENOLCK)],
    ] {
        for arguments in [&ARGUMENTS[..], &worker] {
            let folder = workspace(&experiment);
            Ended::of(&mut disk.command(&folder, arguments, &variables)).code(0);
            Ended::of(&mut disk.command(&folder, arguments, &variables)).code(0);
            folder.maquette(&ARGUMENTS).code(0);
            let _ = fs::remove_dir_all(folder.path().join(RUN).join(".share"));
            assert_same(&whole, &folder);
        }
    }
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let Some(disk) = Disk::find() else { return };
    let experiment = experiment(4);
    let whole = whole(&experiment);
    for step in ["-3600", "31536000"] {
        let folder = workspace(&experiment);
        for arguments in [&[&ARGUMENTS[..], &["--only", "artist=Mucha"]].concat()[..], &ARGUMENTS] {
            let ended = Ended::of(&mut disk.command(&folder, arguments, &[("DISK_CLOCK_STEP", step)]));
            assert!(!ended.code(0).stderr.contains("panicked"));
        }
        let verify = ["verify", "cats", "--backend", "fake"];
        Ended::of(&mut disk.command(&folder, &verify, &[("DISK_CLOCK_STEP", step)])).code(0);
        let pictures = |folder: &Workspace| {
            let files = folder.files("runs/.cells").into_iter();
            files
                .map(|file| (fs::read(folder.path().join("runs/.cells").join(&file)).unwrap(), file))
                .collect::<Vec<_>>()
        };
        assert!(pictures(&whole) == pictures(&folder));
    }
}

#[test]
fn a_reference_picture_that_vanishes_is_taken_from_the_run() {
    let folder = Workspace::new().with_selfie();
    folder.write(
        "cats.toml",
        "prompt = \"a man\"\ninit_image = \"references/selfie.png\"\nsteps = 4\nwidth = 64\nheight = 64\n[sweep]\nseed = [1, 2, 3, 4, 5, 6]\n",
    );
    let mut running = folder.start_run(&["cats.toml", "--rows", "2"]);
    running.wait_for("started", 1);
    let selfie = folder.path().join("references/selfie.png");
    let bytes = fs::read(&selfie).unwrap();
    fs::remove_file(&selfie).unwrap();
    assert_eq!(running.code(), Some(0));
    folder.maquette(&["verify", "cats", "--sample", "2"]).code(0);
    // The experiment names it, so that a plan needs it.
    folder.maquette(&["run", "cats.toml"]).code(3).says(&["selfie.png"]);
    fs::write(selfie, bytes).unwrap();
    folder.maquette(&["run", "cats.toml"]).code(0).says(&["0 rendered, 6 finished earlier"]);
}
