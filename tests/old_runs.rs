//! Runs made by an earlier version: read, drawn, compared, verified and reused.

use crate::support::{Workspace, repository};
use std::fs;
use std::path::Path;

/// A copy of the runs in `tests/fixtures/runs-before`, with the files that they were made from.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    copy(&repository().join("tests/fixtures/runs-before"), workspace.path());
    workspace
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        match fs::symlink_metadata(&from).unwrap() {
            found if found.is_dir() => copy(&from, &to),
            found if found.is_file() => drop(fs::copy(&from, &to).unwrap()),
            // `latest` is a link for users; Maquette takes the highest number.
            _ => {}
        }
    }
}

fn image(workspace: &Workspace, run: &str, part: &str) -> String {
    let folder = format!("runs/portraits/{run}/images");
    let name = workspace.files(&folder).into_iter().find(|name| name.contains(part)).unwrap();
    format!("{folder}/{name}")
}

#[test]
fn old_pictures_are_shown() {
    let workspace = workspace();
    let info = workspace.maquette(&["show", &image(&workspace, "2", "mucha_everywhere_small")]).code(0);
    for part in ["portrait of a man, by Alphonse Mucha", "loras/small.safetensors", "sketchbook", "0.6"] {
        assert!(info.stdout.contains(part), "{part}: {}", info.stdout);
    }
    let toml = workspace.maquette(&["show", "--toml", &image(&workspace, "1", "munch_a-part")]).code(0);
    assert!(toml.stdout.contains("mask = "), "{}", toml.stdout);
}

#[test]
fn old_runs_are_listed_drawn_and_compared() {
    let workspace = workspace();
    let listed = workspace.maquette(&["runs"]).code(0).stdout;
    assert!(listed.contains("4 of 4") && listed.contains("4 of 6, 2 failed"), "{listed}");
    let sheets = workspace.maquette(&["report", "portraits@2"]).code(0).stdout;
    assert!(sheets.lines().any(|sheet| sheet.ends_with("lora-small.png")), "{sheets}");
    let compared = workspace.maquette(&["diff", "portraits@1", "portraits@2"]);
    assert!(compared.stdout.contains("Edvard Munch"), "{compared:?}");
}

#[test]
fn old_runs_are_verified() {
    let workspace = workspace();
    for (run, expected) in [
        ("portraits@1", "4 pictures checked, 0 wrong\n"),
        ("portraits@2", "4 pictures checked, 0 wrong; 2 cells failed\n"),
    ] {
        assert_eq!(workspace.maquette(&["verify", run, "--sample", "0"]).code(0).stdout, expected);
    }
}

#[test]
fn an_old_run_is_not_changed_by_a_new_one() {
    let workspace = workspace();
    let log = workspace.read("runs/portraits/2/log.csv");
    let again = ["run", "portraits.toml", "--device", "cpu", "--no-sheets"];
    let ended = workspace.maquette(&again).code(0);
    // Strength 0.6 leaves one of two steps, and cells are now named by that.
    ended.says(&["portraits@3", "4 rendered, 0 finished earlier"]);
    assert_eq!(workspace.read("runs/portraits/2/log.csv"), log);
}
