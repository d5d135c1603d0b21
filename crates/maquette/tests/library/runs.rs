//! The whole line: from a file to pictures, log and sheets; again, grown, stopped, with failures, in shards.

use crate::support::{Project, column, log, picture, pictures, pixels, run, try_run};
use maquette::{DeviceName, Origin, RunEvent, RunOptions, RunProgress, StartReason, Status, Stop};
use std::collections::BTreeSet;

const SMALL: &str = r#"
title = "Small"
prompt = "portrait of a man with a beard, by {artist}"
init_image = "references/selfie.png"
steps = 3

[sweep]
artist = ["Alphonse Mucha", "Edvard Munch"]
strength = [0.4, 0.9]
"#;

#[test]
fn several_devices_make_the_pictures_of_one() {
    let (one, several) = (Project::new().with_selfie(), Project::new().with_selfie());
    for project in [&one, &several] {
        project.write("small.toml", SMALL);
    }
    let run_on = |project: &Project, devices: usize| {
        let workspace = project.engine().with_devices(vec![DeviceName::Cpu; devices]);
        // One row at a time, so that no device takes all cells.
        let options = RunOptions { rows: Some(2), sheets: false, ..RunOptions::default() };
        try_run(&workspace, &project.experiment("small.toml"), &options).unwrap()
    };
    let (alone, shared) = (run_on(&one, 1), run_on(&several, 2));
    assert_eq!((shared.counts(), shared.loaded.len()), ([0, 0, 4, 0], 2), "each device has its own model");
    let decoded = |run| log(run).iter().map(|row| (row.cell(), pixels(run, row))).collect::<Vec<_>>();
    let sorted = |run| {
        let mut pictures = decoded(run);
        pictures.sort_by_key(|(cell, _)| *cell);
        pictures
    };
    assert!(sorted(&shared.result.run) == sorted(&alone.result.run));
}

#[test]
fn a_run_leaves_pictures_a_log_and_a_sheet() {
    let project = Project::new().with_selfie();
    project.write("small.toml", SMALL);
    let workspace = project.engine();
    let ran = try_run(&workspace, &project.experiment("small.toml"), &RunOptions::default()).unwrap();
    assert!(ran.result.log().is_file());
    assert!(!ran.result.sheets.is_empty() && ran.result.sheets.iter().all(|sheet| sheet.is_file()));

    let run = &ran.result.run;
    let rows = log(run);
    assert_eq!((rows.len(), ran.counts()), (4, [0, 0, 4, 0]));
    for row in &rows {
        assert_eq!((row.status(), row.device()), (Status::Done, Some("cpu")));
        assert_eq!(row.fingerprint().unwrap().len(), 64);
        let expected =
            [("model", "sketchbook"), ("dtype", "f32"), ("width", "128"), ("steps", "3"), ("seed", "0")];
        for (name, value) in expected {
            assert_eq!(column(row, name), value, "{name}");
        }
        assert!(column(row, "prompt").contains(column(row, "artist")));
        assert!(row.seconds().unwrap() > 0.0);
        let pixels = pixels(run, row);
        assert_eq!((pixels.width(), pixels.height()), (128, 128));
        assert_eq!(row.pixels(), Some(pixels.digest()));
    }
    let different: BTreeSet<_> = pictures(run).into_values().collect();
    assert_eq!(different.len(), 4, "four cells, four pictures");

    let shown = workspace.show(&picture(run, &rows[0])).unwrap();
    let Some(Origin::Cell(info)) = shown.metadata.origin else { panic!("{shown:?}") };
    assert_eq!(info.cell, rows[0].cell());
    assert_eq!(info.settings["strength"], 0.4);
    assert_eq!(info.vars["artist"], column(&rows[0], "artist"));
}

#[test]
fn an_unchanged_experiment_goes_on_and_a_grown_one_reuses() {
    let project = Project::new().with_selfie();
    project.write("small.toml", SMALL);
    let (workspace, small) = (project.engine(), project.experiment("small.toml"));
    let first = run(&workspace, &small);
    assert_eq!(first.reason, StartReason::First);
    let before = pictures(&first.result.run);

    let again = run(&workspace, &small);
    assert_eq!((again.reason, again.counts()), (StartReason::Resumed, [4, 0, 0, 0]));
    assert_eq!(again.result.run, first.result.run);
    assert_eq!(log(&again.result.run).len(), 4);

    let grown = SMALL.replace("[0.4, 0.9]", "[0.4, 1.0, 0.9]").replace("\"Small\"", "\"Grown\"");
    project.write("small.toml", grown);
    let grown = run(&workspace, &small);
    assert_eq!((grown.reason, grown.counts()), (StartReason::Changed, [0, 4, 2, 0]));
    assert_eq!(grown.result.run.to_string(), "small@2");
    let rows = log(&grown.result.run);
    assert_eq!(rows.iter().filter(|row| row.reused() == Some("small@1")).count(), 4);
    let after = pictures(&grown.result.run);
    assert!(before.iter().all(|(cell, bytes)| after[cell] == *bytes));
}

#[test]
fn a_stopped_run_keeps_what_is_finished_and_goes_on() {
    let project = Project::new();
    project.write("cats.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 40 }\n");
    let (workspace, cats) = (project.fake(), project.experiment("cats.toml"));
    let options = RunOptions { sheets: false, ..RunOptions::default() };
    let stop = Stop::new();
    let stopped = workspace.run(&cats, &options, &stop, &mut |event| {
        if let RunEvent::Progress(RunProgress::Finished { .. }) = event
            && !stop.is_requested()
        {
            stop.request();
        }
    });
    let stopped = stopped.unwrap();
    let finished = log(&stopped.run);
    assert!(stopped.summary.interrupted && (1..40).contains(&finished.len()), "{:?}", stopped.summary);
    assert!(finished.iter().all(|row| row.status() == Status::Done));
    assert_eq!(stopped.summary.left(), 40 - finished.len());

    let whole = run(&workspace, &cats);
    assert_eq!(whole.counts(), [finished.len(), 0, 40 - finished.len(), 0]);
    assert!(!whole.result.summary.interrupted);
}

#[test]
fn a_cell_that_fails_is_a_row_and_the_run_goes_on() {
    let project = Project::new();
    project.write("fails.toml", "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"bomb\", \"dog\"]\n");
    let fails = project.experiment("fails.toml");
    let mut environment = project.environment(&[]);
    environment.fake_fail_on = Some("bomb".to_owned());
    let ran = run(&project.fake().with_environment(environment), &fails);
    assert_eq!(ran.counts(), [0, 0, 2, 1]);
    let rows = log(&ran.result.run);
    let failed: Vec<_> = rows.iter().filter(|row| row.status() == Status::Failed).collect();
    let [failed] = failed[..] else { panic!("{failed:?}") };
    assert_eq!((column(failed, "prompt"), failed.image()), ("a bomb", None));
    let failure = &ran.result.summary.failures[0];
    assert_eq!((failure.cell, failed.error()), (failed.cell(), Some(failure.error.as_str())));
    // It is tried again, and the others are not.
    assert_eq!(run(&project.fake(), &fails).counts(), [2, 0, 1, 0]);
}

#[test]
fn shards_share_the_work_and_the_run() {
    let project = Project::new();
    project.write("shards.toml", "prompt = \"a cat\"\n[sweep]\nseed = { count = 7 }\n");
    let (workspace, shards) = (project.fake(), project.experiment("shards.toml"));
    for (shard, share) in [("1/3", 3), ("2/3", 2), ("3/3", 2)] {
        let options = RunOptions { shard: Some(shard.parse().unwrap()), ..RunOptions::default() };
        let ran = try_run(&workspace, &shards, &options).unwrap();
        assert_eq!((ran.counts(), ran.result.run.number()), ([0, 0, share, 0], 1), "{shard}");
    }
    assert_eq!(run(&workspace, &shards).counts(), [7, 0, 0, 0]);
}
