//! A run with nothing to do leaves its sheets and its page alone, and makes them again after any change.

use crate::page::{CATS, data};
use crate::support::{Project, try_run};
use maquette::{Run, RunOptions, Stop, WorkOptions};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// When each file of a run's sheets and page was written.
fn written(run: &Run) -> BTreeMap<PathBuf, SystemTime> {
    let mut written = BTreeMap::new();
    let mut left = ["sheets", "page", "index.html", ".report.json"].map(|name| run.dir().join(name)).to_vec();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            written.insert(path.clone(), path.metadata().unwrap().modified().unwrap());
        }
    }
    written
}

/// Runs the experiment again, and returns the run with its sheets. There is nothing to render.
fn again(project: &Project) -> (Run, Vec<PathBuf>) {
    let ran = try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    assert_eq!((ran.counts(), &ran.warnings[..]), ([4, 0, 0, 0], &[][..]));
    assert_eq!(ran.result.page, Some(ran.result.run.page()));
    (ran.result.run, ran.result.sheets)
}

/// Checks that the next run writes nothing.
#[track_caller]
fn check_left_alone(project: &Project) {
    let before = written(&project.find("cats@1"));
    assert_eq!(before.len(), 11, "{before:?}");
    let (run, sheets) = again(project);
    assert_eq!(written(&run), before);
    assert_eq!(sheets, [run.dir().join("sheets/sheet.png")]);
}

#[test]
fn sheets_and_page_are_left_alone_until_something_changes() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let first = try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let (run, sheet) = (first.result.run, &first.result.sheets[0]);
    let pixels = fs::read(sheet).unwrap();
    check_left_alone(&project);

    for removed in ["sheets/sheet.png", "index.html", "page/data.js", "page/app.css"] {
        fs::remove_file(run.dir().join(removed)).unwrap();
        again(&project);
        assert!(run.dir().join(removed).is_file(), "{removed}");
        check_left_alone(&project);
    }
    assert!(fs::read(sheet).unwrap() == pixels);

    fs::write(sheet, "edited").unwrap();
    again(&project);
    assert!(fs::read(sheet).unwrap() == pixels);
    check_left_alone(&project);

    let cell = run.log().unwrap()[0].cell().to_string();
    project.write("runs/cats/1/picks.toml", format!("[cells.{cell}]\nmark = \"pick\"\n"));
    again(&project);
    assert_eq!(data(&run)["picks"], json!({ cell: { "mark": "pick" } }));
    check_left_alone(&project);

    project.fake().report("cats", &mut |_| ()).unwrap();
    check_left_alone(&project);
}

#[test]
fn a_picture_that_was_edited_is_rendered_and_drawn_again() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let first = try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let (run, sheet) = (first.result.run, &first.result.sheets[0]);
    let pixels = fs::read(sheet).unwrap();
    let log = run.log().unwrap();
    let (edited, other) = (run.dir().join(log[0].image().unwrap()), run.dir().join(log[1].image().unwrap()));
    // Not through the link to `.cells`.
    let bytes = fs::read(&other).unwrap();
    fs::remove_file(&edited).unwrap();
    fs::write(&edited, bytes).unwrap();
    project.fake().report("cats", &mut |_| ()).unwrap();
    assert!(fs::read(sheet).unwrap() != pixels, "it shows what is there");

    let repaired =
        try_run(&project.fake(), &project.experiment("cats.toml"), &RunOptions::default()).unwrap();
    let [done, reused, rendered, failed] = repaired.counts();
    assert_eq!((done, reused + rendered, failed), (3, 1, 0));
    assert!(fs::read(sheet).unwrap() == pixels);
    check_left_alone(&project);
}

#[test]
fn what_the_last_worker_made_is_left_alone() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let experiment = project.experiment("cats.toml");
    let work = || {
        let options = WorkOptions::named("one");
        project.fake().work(&experiment, &options, &Stop::new(), &mut |_| ()).unwrap()
    };
    let worked = work();
    assert_eq!((worked.finished, worked.summary.rendered), (true, 4));
    assert_eq!(worked.sheets, [worked.run.dir().join("sheets/sheet.png")]);
    check_left_alone(&project);
    let late = work();
    assert_eq!((late.summary.done, late.summary.rendered), (4, 0));
    check_left_alone(&project);
}
