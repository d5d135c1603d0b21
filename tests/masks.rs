//! Masks and the safety checker through the whole pipeline, with a tiny model: sheets, log, reuse, errors.

use crate::bad_input::{copy, refused};
use crate::line::log;
use crate::support::{Workspace, repository};

/// A workspace with the fixtures' tiny model, a picture and its masks.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let fixtures = repository().join("tests/fixtures");
    copy(&fixtures.join("tiny-a"), &workspace.path().join("tiny"));
    copy(&fixtures.join("masks"), &workspace.path().join("masks"));
    copy(&fixtures.join("init"), &workspace.path().join("init"));
    workspace
}

#[test]
fn a_masked_run_is_logged_and_a_new_mask_renders_only_its_own_cells() {
    let workspace = workspace();
    let file = |masks: &str| {
        format!(
            "model = \"tiny\"\nprompt = \"boats\"\ninit_image = \"init/48x32.png\"\nsteps = 4\nwidth = 48\nheight = 32\n\
             [sweep]\nmask = [{masks}]\n"
        )
    };
    workspace.write("part.toml", file("\"\", \"masks/binary.png\""));
    workspace.maquette(&["run", "part.toml"]).code(0);
    let rows = log(&workspace, "part/1");
    let masks: Vec<&str> = rows.iter().map(|row| row["mask"].as_str()).collect();
    assert_eq!(masks, ["", "masks/binary.png"]);
    assert!(rows.iter().all(|row| row["status"] == "done" && row["nsfw_content_detected"].is_empty()));
    workspace.write("part.toml", file("\"\", \"masks/binary.png\", \"masks/grey.png\""));
    workspace.maquette(&["run", "part.toml"]).code(0);
    let rows = log(&workspace, "part/2");
    let reused: Vec<&str> = rows.iter().map(|row| row["reused"].as_str()).collect();
    assert_eq!(reused, ["part@1", "part@1", ""]);
}

#[test]
fn a_verdict_is_logged_and_kept_for_a_reused_picture() {
    let workspace = workspace();
    let model = workspace.path().join("tiny");
    copy(&repository().join("tests/fixtures/safety"), &model);
    // As in the fixture's runs, where diffusers flags seed 0 and lets seed 1 pass.
    let text = "model = \"tiny\"\nprompt = \"a portrait of a bearded man, by Vincent van Gogh\"\nsafety_checker = true\n\
                scheduler = \"ddim\"\nsteps = 2\nguidance_scale = 1\nwidth = 48\nheight = 32\n[sweep]\nseed = [0, 1]\n";
    workspace.write("safe.toml", text);
    workspace.maquette(&["run", "safe.toml"]).code(0).says(&["safety checker blacked out the picture"]);
    workspace.write("again.toml", text);
    workspace.maquette(&["run", "again.toml"]).code(0);
    for run in ["safe/1", "again/1"] {
        let rows = log(&workspace, run);
        let verdicts: Vec<_> =
            rows.iter().map(|row| (row["seed"].as_str(), row["nsfw_content_detected"].as_str())).collect();
        assert_eq!(verdicts, [("0", "true"), ("1", "false")], "{run}");
    }
    assert!(log(&workspace, "again/1").iter().all(|row| row["reused"] == "safe@1"));
}

#[test]
fn invalid_masks_and_checkers_are_refused_before_anything_is_rendered() {
    let workspace = workspace();
    let check = |text: &str, says: &[&str]| {
        refused(&workspace, &format!("model = \"tiny\"\nprompt = \"boats\"\n{text}"), says);
    };
    check("mask = \"masks/grey.png\"\n", &["`mask` has no effect without `init_image`"]);
    check(
        "init_image = \"init/40x24.png\"\nmask = \"masks/grey.png\"\n",
        &["48x32", "40x24", "any size with the same aspect ratio"],
    );
    check("init_image = \"init/48x32.png\"\nmask = \"masks/cases.json\"\n", &["cases.json", "not a picture"]);
    check("safety_checker = true\n", &["tiny has no safety checker"]);
}
