//! The experiments that come with the program: each one parses, plans and is complete in an editor.

use crate::support::{Project, repository};
use std::fs;
use std::path::PathBuf;

fn experiments() -> Vec<PathBuf> {
    let folder = repository().join("experiments");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    assert!(files.len() >= 5);
    files
}

/// A small model under the name of Stable Diffusion v1-4, where the hub's tools would put it.
fn stand_in_for_v1_4(project: &Project) {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let folder = "hf/hub/models--CompVis--stable-diffusion-v1-4";
    project.write(&format!("{folder}/refs/main"), format!("{commit}\n"));
    project.copy("tiny-a", &format!("{folder}/snapshots/{commit}"));
}

#[test]
fn every_example_plans() {
    let project = Project::new();
    stand_in_for_v1_4(&project);
    let workspace = project.engine();
    for file in experiments() {
        let planned = workspace.plan(&maquette::Experiment::at(&file)).unwrap();
        let forecast = workspace.forecast(&planned).unwrap();
        assert_eq!(forecast.work.pictures, planned.distinct.len(), "{}", file.display());
        assert!(forecast.work.steps >= forecast.work.pictures, "{}", file.display());
        // Nothing was measured here.
        assert_eq!(forecast.estimate.unknown, forecast.work.pictures, "{}", file.display());
        assert_eq!((forecast.estimate.seconds, forecast.estimate.memory), (0.0, None));
    }
}

#[test]
fn editors_know_every_example() {
    for file in experiments() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("#:schema ./experiment.schema.json\n"), "{}", file.display());
    }
    let schema = fs::read_to_string(repository().join("experiments/experiment.schema.json")).unwrap();
    assert!(
        schema == maquette::schema(),
        "experiments/experiment.schema.json is out of date; `just bless` writes it again"
    );
}

#[test]
fn the_main_job_is_the_one_the_readme_promises() {
    let workspace = Project::new().engine();
    let mucha = maquette::Experiment::at(repository().join("experiments/mucha.toml"));
    let planned = workspace.plan(&mucha).unwrap();
    assert_eq!((planned.plan.len(), planned.distinct.len()), (48, 48));
    let work = workspace.forecast(&planned).unwrap().work;
    assert_eq!((work.pictures, work.model_loads, work.text_encodes, work.image_encodes), (48, 1, 5, 1));
    // Strengths 0.3, 0.5, 0.7 and 0.9 of 20 steps leave 6, 10, 14 and 18, and pndm makes one call more for each.
    assert_eq!(work.steps, 12 * (6 + 10 + 14 + 18 + 4));
}
