//! The trainings on the page of a run: what its data says of them.

use crate::page::{again, data};
use crate::support::{Project, repository, try_run};
use maquette::{Run, RunOptions};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// A run with trainings of two subjects, without any step: the fake renderer trains nothing.
fn run(project: &Project) -> Run {
    let photo = fs::read(repository().join("experiments/references/selfie.png")).unwrap();
    for at in 1..=4 {
        project.write(&format!("photos/{at}.png"), &photo);
    }
    let subject = |name: &str, settings: &str| {
        format!("[subject.\"{name}\"]\nimages = \"photos/*.png\"\nclass = \"man\"\n{settings}\n")
    };
    let text = "prompt = \"a photo of {subject}\"\nsteps = 2\n".to_owned()
        + &subject("me", "word = \"sks man\"\nsteps = 40\nnum_class_images = 4\nrank = 8")
        + &subject("50%", "word = \"qxz\"\nmethod = \"textual-inversion\"\nsteps = 60\nnum_vectors = 3")
        + "[sweep]\nsubject = [\"none\", \"me\", \"50%\"]\ntrain_steps = [10, 20]\n";
    project.write("face.toml", &text);
    let workspace = project.fake();
    try_run(&workspace, &project.experiment("face.toml"), &RunOptions::default()).unwrap().result.run
}

/// The folder of a subject's training in the run.
fn folder(run: &Run, subject: &str) -> PathBuf {
    let entries = fs::read_dir(run.dir().join("trained")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(subject)).unwrap()
}

#[test]
fn trainings_are_on_the_page_with_their_losses_and_samples() {
    let project = Project::new();
    let run = run(&project);
    let before = data(&run);
    let trainings = |data: &Value| data["trainings"].as_array().unwrap().clone();
    let of = |data: &Value, subject: &str| {
        trainings(data).into_iter().find(|training| training["subject"] == subject).unwrap()
    };
    assert_eq!(trainings(&before).len(), 2);
    let me = of(&before, "me");
    let facts = |training: &Value| {
        json!([
            training["method"],
            training["images"],
            training["class_images"],
            training["rank"],
            training["num_vectors"],
            training["steps"],
            training["last_step"],
            training["done"]
        ])
    };
    assert_eq!(facts(&me), json!(["lora", 4, 4, 8, null, 40, 20, 0]));
    assert_eq!((&me["losses"]["step"], &me["samples"]), (&json!([]), &json!([])));
    let other = of(&before, "50%");
    assert_eq!(facts(&other), json!(["textual-inversion", 4, 0, null, 3, 60, 20, 0]));

    // As after the first steps. The last row is still being written.
    let losses = "step,loss,learning_rate,seconds\n1,0.5,0.0001,1.5\n2,0.25,0.0001,0.25\n3,0.1";
    for subject in ["me", "50%"] {
        let folder = folder(&run, subject);
        fs::create_dir_all(folder.join("samples")).unwrap();
        fs::write(folder.join("losses.csv"), losses).unwrap();
        fs::write(folder.join("samples/2-1.png"), "").unwrap();
        fs::write(folder.join("samples/2-0.png"), "").unwrap();
    }
    let after = again(&project.engine(), &run);
    assert_ne!(after["revision"], before["revision"]);
    let me = of(&after, "me");
    assert_eq!((&me["done"], &me["seconds"]), (&json!(2), &json!(1.75)));
    assert_eq!((&me["losses"]["loss"], &me["losses"]["mean"]), (&json!([0.5, 0.25]), &json!([0.5, 0.375])));
    let name = folder(&run, "me").file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(
        me["samples"],
        json!([
            { "step": 2, "number": 0, "image": format!("trained/{name}/samples/2-0.png") },
            { "step": 2, "number": 1, "image": format!("trained/{name}/samples/2-1.png") },
        ])
    );
    // A URL, and not a path.
    let image = of(&after, "50%")["samples"][0]["image"].as_str().unwrap().to_owned();
    assert!(image.starts_with("trained/50%25-"), "{image}");
    fs::write(folder(&run, "me").join("losses.csv"), format!("{losses},0.0001,0.25\n")).unwrap();
    assert_ne!(again(&project.engine(), &run)["revision"], after["revision"]);
}

#[test]
fn runs_without_trainings_have_no_data_of_any() {
    let project = Project::new();
    let run = crate::page::run(&project, &project.fake(), crate::page::CATS);
    assert_eq!(data(&run).get("trainings"), None);
}
