//! Masks and the safety checker through the whole line, with a tiny model: log, reuse, refusals.

use crate::support::{Project, check_says, column, log, problems, run, try_run};
use maquette::{RunOptions, Status};

/// A project with the fixtures' tiny model, a picture and its masks.
fn project() -> Project {
    let project = Project::new();
    project.copy("tiny-a", "tiny");
    project.copy("masks", "masks");
    project.copy("init", "init");
    project
}

#[test]
fn a_masked_run_is_logged_and_a_new_mask_renders_only_its_own_cells() {
    let project = project();
    let run_with = |masks: &str| {
        let text = format!(
            "model = \"tiny\"\nprompt = \"boats\"\ninit_image = \"init/48x32.png\"\nsteps = 4\nwidth = 48\nheight = 32\n\
             [sweep]\nmask = [{masks}]\n"
        );
        project.write("part.toml", text);
        log(&run(&project.engine(), &project.experiment("part.toml")).result.run)
    };
    let rows = run_with("\"\", \"masks/binary.png\"");
    let masks: Vec<&str> = rows.iter().map(|row| column(row, "mask")).collect();
    assert_eq!(masks, ["", "masks/binary.png"]);
    assert!(rows.iter().all(|row| row.status() == Status::Done && row.nsfw_content_detected().is_none()));
    let rows = run_with("\"\", \"masks/binary.png\", \"masks/grey.png\"");
    let reused: Vec<_> = rows.iter().map(|row| row.reused()).collect();
    assert_eq!(reused, [Some("part@1"), Some("part@1"), None]);
}

#[test]
fn a_verdict_is_a_column_and_goes_with_a_reused_picture() {
    let project = project();
    project.copy("safety", "tiny");
    // As in the fixture's runs, where diffusers flags seed 0 and lets seed 1 pass.
    let text = "model = \"tiny\"\nprompt = \"a portrait of a bearded man, by Vincent van Gogh\"\nsafety_checker = true\n\
                scheduler = \"ddim\"\nsteps = 2\nguidance_scale = 1\nwidth = 48\nheight = 32\n[sweep]\nseed = [0, 1]\n";
    project.write("safe.toml", text);
    project.write("again.toml", text);
    let first = run(&project.engine(), &project.experiment("safe.toml"));
    let warnings = &first.warnings;
    assert!(warnings.iter().any(|it| it.contains("safety checker blacked out the picture")), "{warnings:?}");
    let again = run(&project.engine(), &project.experiment("again.toml"));
    for run in [&first.result.run, &again.result.run] {
        let rows = log(run);
        let verdicts: Vec<_> =
            rows.iter().map(|row| (column(row, "seed"), row.nsfw_content_detected())).collect();
        assert_eq!(verdicts, [("0", Some(true)), ("1", Some(false))], "{run}");
    }
    assert!(log(&again.result.run).iter().all(|row| row.reused() == Some("safe@1")));
}

#[test]
fn masks_and_checkers_that_cannot_be_are_refused_before_anything_is_rendered() {
    let project = project();
    let check = |text: &str, message: &[&str]| {
        project.write("bad.toml", format!("model = \"tiny\"\nprompt = \"boats\"\n{text}"));
        let bad = project.experiment("bad.toml");
        let problems = problems(try_run(&project.engine(), &bad, &RunOptions::default()).map(drop));
        problems.iter().for_each(|problem| check_says(problem, message, ""));
    };
    check("mask = \"masks/grey.png\"\n", &["`mask` has no effect without `init_image`"]);
    let other_shape = "init_image = \"init/40x24.png\"\nmask = \"masks/grey.png\"\n";
    check(other_shape, &["48x32", "40x24", "any size with the same aspect ratio"]);
    let no_picture = "init_image = \"init/48x32.png\"\nmask = \"masks/cases.json\"\n";
    check(no_picture, &["cases.json", "not a readable picture"]);
    check("safety_checker = true\n", &["tiny has no safety checker"]);
    assert!(!project.path().join("runs/bad").exists());
}
