//! Models that `[metrics]` names: where they are found, what happens without them, and what the next experiment has of them.

use crate::next::mark;
use crate::support::{Project, fixture, log, repository, run};
use crate::vision_model::write_vision_model;
use maquette::{
    EffectsOptions, Environment, Experiment, Mark, NextExperiment, NextOptions, Promote, Run, Workspace,
};
use std::collections::BTreeMap;
use std::fs;

const EXPERIMENT: &str = include_str!("../../../../tests/fixtures/metrics/faces.toml");

/// An experiment in a folder of its own; the current folder is the one above it.
fn project(metrics: &str) -> (Project, Experiment) {
    let project = Project::new();
    let selfie = fs::read(repository().join("experiments/references/selfie.png")).unwrap();
    project.write("experiments/references/selfie.png", selfie);
    project.write("experiments/faces.toml", format!("{EXPERIMENT}[metrics]\n{metrics}\n"));
    let experiment = project.experiment("experiments/faces.toml");
    (project, experiment)
}

fn with_clip(project: &Project, folder: &str) {
    write_vision_model(&fixture(""), "clip", &project.path().join(folder));
}

/// The workspace where the current folder is another one.
fn elsewhere(project: &Project) -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let environment = project.environment(&[("HF_HUB_OFFLINE", "1")]);
    let environment = Environment { folder: Some(folder.path().to_owned()), ..environment };
    (folder, project.fake().with_environment(environment))
}

fn values(run: &Run, metric: &str) -> Vec<Option<String>> {
    log(run).iter().map(|row| row.metric(metric).map(str::to_owned)).collect()
}

fn measure(workspace: &Workspace, metric: &str, clip: Option<&str>) -> Result<Run, maquette::Error> {
    let models: BTreeMap<_, _> = clip.map(|clip| ("clip".to_owned(), clip.to_owned())).into_iter().collect();
    Ok(workspace.measure("faces", &[metric.to_owned()], &models, &mut |_, _| ())?.run)
}

#[test]
fn a_folder_is_found_beside_the_experiment_by_the_run_and_later() {
    let (project, experiment) = project("measure = [\"clip_text\", \"ssim\"]\nclip = \"models/clip\"");
    with_clip(&project, "experiments/models/clip");
    let ran = run(&project.fake(), &experiment);
    assert_eq!(ran.warnings, [""; 0]);
    let found = values(&ran.result.run, "clip_text");
    assert!(found.iter().all(Option::is_some) && values(&ran.result.run, "ssim")[0].is_some(), "{found:?}");

    let (_folder, workspace) = elsewhere(&project);
    let measured = measure(&workspace, "clip_reference", None).unwrap();
    assert!(values(&measured, "clip_reference").iter().all(Option::is_some));
    measure(&workspace, "clip_text", None).unwrap();
    assert_eq!(values(&measured, "clip_text"), found);
    let options = EffectsOptions { measure: Some("clip".to_owned()), ..EffectsOptions::default() };
    let effects = workspace.effects("faces", &options, &mut |_, _| ()).unwrap();
    assert_eq!((effects.pictures, effects.effects[0].measure.as_str()), (8, "clip"));
    // Everything was moved together.
    let moved = Project::new();
    fs::rename(project.path().join("experiments"), moved.path().join("experiments")).unwrap();
    fs::rename(project.path().join("runs"), moved.path().join("experiments/runs")).unwrap();
    let workspace = Workspace::open(moved.path().join("experiments/runs")).unwrap();
    let workspace = workspace.with_environment(moved.environment(&[]));
    measure(&workspace, "clip_text", None).unwrap();
}

#[test]
fn a_folder_on_the_command_line_is_relative_to_the_current_one() {
    let (project, experiment) = project("clip = \"models/clip\"");
    run(&project.fake(), &experiment);
    with_clip(&project, "here/clip");
    let error = measure(&project.fake(), "clip_text", None).unwrap_err();
    assert_eq!(error.to_string(), "no model is called `models/clip` on this machine");
    let hint = error.hint().unwrap();
    let base = project.path().join("experiments");
    assert!(hint.contains(&format!("layout in {}, or a repository", base.display())), "{hint}");
    measure(&project.fake(), "clip_text", Some("here/clip")).unwrap();
    let (_folder, workspace) = elsewhere(&project);
    assert!(measure(&workspace, "clip_text", Some("here/clip")).is_err());
}

#[test]
fn the_name_of_a_model_stands_for_its_metrics_and_a_named_model_is_used() {
    let (project, experiment) = project("");
    run(&project.fake(), &experiment);
    with_clip(&project, "clip");
    let models: BTreeMap<_, _> = [("clip".to_owned(), "clip".to_owned())].into();
    let measured = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let measured = project.fake().measure("faces", &names, &models, &mut |_, _| ()).unwrap();
        let metrics: Vec<&str> = measured.metrics.iter().map(|metric| metric.name).collect();
        (metrics.join(" "), measured.notes)
    };
    assert_eq!(measured(&["clip", "ssim"]), ("ssim clip_text clip_reference".to_owned(), vec![]));
    let (all, notes) = measured(&[]);
    assert!(
        all.starts_with("psnr ssim ") && all.ends_with(" duplicate_of clip_text clip_reference"),
        "{all}"
    );
    assert_eq!(notes, [""; 0]);
    let unused = "`clip` is not used: no metric of `clip` is measured".to_owned();
    assert_eq!(measured(&["ssim"]), ("ssim".to_owned(), vec![unused]));
    let options = EffectsOptions { measure: Some("clip".to_owned()), models, ..EffectsOptions::default() };
    assert_eq!(project.fake().effects("faces", &options, &mut |_, _| ()).unwrap().pictures, 8);
}

#[test]
fn without_a_model_the_other_metrics_are_measured() {
    let (project, experiment) =
        project("measure = [\"sharpness\", \"clip_text\", \"clip_reference\"]\nclip = \"models/clip\"");
    let planned = project.fake().plan(&experiment).unwrap();
    let what = "`clip_text`, `clip_reference` cannot be measured: no model is called `models/clip` on this machine; \
                allowed: a folder in transformers' layout in ";
    assert_eq!(planned.notes.len(), 1);
    assert!(planned.notes[0].starts_with(what), "{:?}", planned.notes);
    assert!(planned.notes[0].ends_with("; To download it: maquette models fetch models/clip"));
    let ran = run(&project.fake(), &experiment);
    assert_eq!(ran.warnings, planned.notes);
    let found = &ran.result.run;
    assert!(values(found, "sharpness").iter().all(Option::is_some));
    assert_eq!(log(found)[0].metrics().count(), 1);

    // A folder that is no model.
    project.write("experiments/models/clip/config.json", "{}");
    let again = run(&project.fake(), &experiment);
    assert_eq!(again.warnings.len(), 1, "{:?}", again.warnings);
    assert!(again.warnings[0].contains("cannot be measured"), "{:?}", again.warnings);
    // The model is there at last.
    with_clip(&project, "experiments/models/clip");
    let again = run(&project.fake(), &experiment);
    assert_eq!((again.warnings.len(), again.counts()), (0, [8, 0, 0, 0]));
    assert!(values(&again.result.run, "clip_text").iter().all(Option::is_some));
}

#[test]
fn the_next_experiment_measures_the_same() {
    let metrics = "measure = [\"clip_text\"]\nneighbours = \"strength\"\nclip = \"models/clip\"\nsiglip = \"google/siglip\"";
    let (project, experiment) = project(&format!("{metrics}\n[sheet]\nrows = \"artist\"\ncell = 64"));
    with_clip(&project, "experiments/models/clip");
    let workspace = project.fake();
    let ran = run(&workspace, &experiment).result.run;
    let plan = ran.plan().unwrap();
    mark(&ran, &plan, Mark::Pick, &[&[0, 0, 0], &[1, 1, 0]]);
    let next = |file: &str, promote| -> NextExperiment {
        workspace.next("faces", &NextOptions { promote, file: Some(project.path().join(file)) }).unwrap()
    };
    let planned = |file: &str, next: &NextExperiment| {
        assert_eq!(next.problems, [""; 0]);
        workspace.plan(&Experiment::at(project.write(file, &next.text))).unwrap()
    };
    let beside = planned("experiments/next.toml", &next("experiments/next.toml", None)).plan;
    assert_eq!((&beside.metrics, &beside.sheet), (&plan.metrics, &plan.sheet));

    // Elsewhere the folder has its absolute path; a repository keeps its name.
    let other = planned("other/next.toml", &next("other/next.toml", None));
    let clip = project.path().join("experiments/models/clip");
    assert_eq!(
        other.plan.metrics.models,
        [("clip", &*clip.to_string_lossy()), ("siglip", "google/siglip")]
            .map(|(kind, name)| (kind.to_owned(), name.to_owned()))
            .into()
    );
    assert_eq!(other.plan.metrics.measure, plan.metrics.measure);
    assert!(!other.notes.iter().any(|note| note.contains("measure")), "{:?}", other.notes);

    // The axes of promoted picks are others.
    let promoted = next("experiments/promoted.toml", Some(Promote::default()));
    let lost = [
        "rows of [sheet]: left out, as there is no axis `artist`",
        "neighbours of [metrics]: left out, as there is no axis `strength`",
    ];
    assert!(
        lost.iter().all(|lost| promoted.decisions.iter().any(|decision| decision == lost)),
        "{promoted:?}"
    );
    let promoted = planned("experiments/promoted.toml", &promoted).plan;
    assert_eq!((promoted.metrics.models, promoted.sheet.cell), (plan.metrics.models, Some(64)));
}
