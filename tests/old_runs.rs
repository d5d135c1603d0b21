//! Runs that an earlier version made, in the text of the commands that read them.

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
            // `latest` is a link for people; Maquette takes the highest number.
            _ => {}
        }
    }
}

#[test]
fn old_runs_are_listed_shown_compared_and_verified() {
    let workspace = workspace();
    let listed = workspace.maquette(&["runs"]).code(0).stdout;
    assert!(listed.contains("4 of 4") && listed.contains("4 of 6, 2 failed"), "{listed}");
    let compared = workspace.maquette(&["diff", "portraits@1", "portraits@2"]).code(6).stdout;
    assert!(compared.contains("Edvard Munch"), "{compared}");
    let verified = workspace.maquette(&["verify", "portraits@2", "--sample", "0"]).code(0).stdout;
    assert_eq!(verified, "4 pictures checked, 0 wrong; 2 cells failed\n");
    let images = "runs/portraits/2/images";
    let small =
        workspace.files(images).into_iter().find(|name| name.contains("mucha_everywhere_small")).unwrap();
    let shown = workspace.maquette(&["show", &format!("{images}/{small}")]).code(0).stdout;
    for part in ["portrait of a man, by Alphonse Mucha", "loras/small.safetensors", "sketchbook", "0.6"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
