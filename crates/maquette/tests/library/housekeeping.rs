//! The list of runs, removing what no run uses, and renaming.

use crate::support::{Project, log, run};
use maquette::{RunContent, UnusedKind};
use std::fs;

const CATS: &str = "title = \"Cats\"\nprompt = \"a cat\"\n[sweep]\nseed = [1, 2, 3]\n";

#[test]
fn the_list_has_times_models_picks_and_parents() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let workspace = project.fake();
    let ran = run(&workspace, &project.experiment("cats.toml"));
    let rows = log(&ran.result.run);
    let pick = |row: &maquette::LogRow, mark: &str| format!("[cells.{}]\nmark = \"{mark}\"\n", row.cell());
    project.write("runs/cats/1/picks.toml", pick(&rows[0], "pick") + &pick(&rows[1], "reject"));
    let derived = format!("derived_from = {{ run = \"cats@1\", cells = [\"{}\"] }}\n{CATS}", rows[0].cell());
    project.write("next.toml", derived);
    run(&workspace, &project.experiment("next.toml"));
    let content = |name: &str| -> RunContent {
        let listed = workspace.list_runs().unwrap();
        listed.into_iter().find(|entry| entry.run.to_string() == name).unwrap().content.unwrap()
    };
    let cats = content("cats@1");
    assert_eq!((cats.cells, cats.done, cats.failed, cats.picks, cats.parent), (3, 3, 0, Some(1), None));
    assert_eq!(cats.models, ["sketchbook"]);
    assert!(cats.started.unwrap() > 1_700_000_000 && cats.changed >= cats.started);
    assert_eq!(cats.seconds, rows.iter().filter_map(maquette::LogRow::seconds).sum::<f64>());
    let next = content("next@1");
    assert_eq!((next.done, next.seconds, next.parent.as_deref()), (3, 0.0, Some("cats@1")));

    // The parent under its new name; picks that cannot be read; a run that cannot be read.
    workspace.rename("cats", "felines").unwrap();
    assert_eq!(content("next@1").parent.as_deref(), Some("felines@1"));
    project.write("runs/felines/1/picks.toml", "not toml [");
    assert_eq!(content("felines@1").picks, None);
    project.write("runs/next/1/plan.json", "{}");
    let listed = workspace.list_runs().unwrap();
    assert!(listed.iter().any(|entry| entry.run.to_string() == "next@1" && entry.content.is_none()));
}

#[test]
fn a_run_is_resumed_under_its_new_name() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let workspace = project.fake();
    run(&workspace, &project.experiment("cats.toml"));
    let renamed = workspace.rename("cats", "felines").unwrap();
    assert_eq!(renamed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["felines@1"]);
    fs::rename(project.path().join("cats.toml"), project.path().join("felines.toml")).unwrap();
    let again = run(&workspace, &project.experiment("felines.toml"));
    assert_eq!((again.result.run.to_string().as_str(), again.counts()), ("felines@1", [3, 0, 0, 0]));
    // The other commands find it under both names.
    for name in ["cats@1", "felines@1", "cats"] {
        assert!(!workspace.report(name, &mut |_| ()).unwrap().sheets.is_empty());
    }
}

#[test]
fn what_a_removed_run_leaves_is_cleaned() {
    let project = Project::new();
    project.write("cats.toml", CATS);
    let workspace = project.fake();
    let ran = run(&workspace, &project.experiment("cats.toml"));
    assert_eq!(workspace.unused().unwrap().files, []);
    fs::remove_dir_all(ran.result.run.dir()).unwrap();
    let unused = workspace.unused().unwrap();
    assert!(unused.files.iter().all(|file| file.kind == UnusedKind::Cell) && unused.bytes > 0);
    assert_eq!(unused.files.len(), 3);
    assert_eq!(workspace.remove_unused(&unused).unwrap(), unused);
    assert_eq!(workspace.unused().unwrap().files, []);

    let ran = run(&workspace, &project.experiment("cats.toml"));
    let (found, without) = workspace.unused_without("cats", false).unwrap();
    assert_eq!(found, ran.result.run);
    workspace.remove_run(&found, false).unwrap();
    assert!(without.files.iter().all(|file| !file.path.exists()));
    assert!(workspace.list_runs().unwrap().is_empty());
}
