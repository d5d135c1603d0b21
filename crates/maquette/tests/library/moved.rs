//! Files are known by their content: what moved between two runs is found again, what changed is another picture.

use crate::support::{Project, fixture, log, picture, run};
use maquette::{SampleOutcome, StartReason, Verification, VerifyOptions};
use std::fs;

const LORAS: &str = r#"
prompt = "portrait of a man, by Edvard Munch"
steps = 2
lora = "small"

[sweep]
seed = [1, 2]
"#;

/// An experiment with a LoRA in a folder of its own, run.
fn project() -> Project {
    let project = Project::new();
    project.write("project/loras.toml", LORAS);
    project.copy("runs-before/loras/small.safetensors", "project/loras/small.safetensors");
    run(&project.engine(), &project.experiment("project/loras.toml"));
    project
}

#[test]
fn a_run_goes_on_when_its_files_have_moved() {
    let move_lora = |project: &Project| {
        let folder = project.path().join("project");
        fs::rename(folder.join("loras/small.safetensors"), folder.join("small.safetensors")).unwrap();
        "project/loras.toml"
    };
    let move_project = |project: &Project| {
        fs::create_dir(project.path().join("elsewhere")).unwrap();
        fs::rename(project.path().join("project"), project.path().join("elsewhere/project")).unwrap();
        "elsewhere/project/loras.toml"
    };
    let moves: [&dyn Fn(&Project) -> &'static str; 2] = [&move_lora, &move_project];
    for change in moves {
        let project = project();
        // One finished picture is taken away, so that its cell has to be rendered again.
        let first = project.find("loras@1");
        let row = &log(&first)[0];
        let image = picture(&first, row);
        let before = fs::read(&image).unwrap();
        fs::remove_file(&image).unwrap();
        let cell = row.cell().to_string();
        fs::remove_file(project.path().join(format!("runs/.cells/{}/{cell}.png", &cell[..2]))).unwrap();

        let file = change(&project);
        let again = run(&project.engine(), &project.experiment(file));
        assert_eq!((again.reason, again.counts()), (StartReason::Resumed, [1, 0, 1, 0]), "{file}");
        assert!(fs::read(&image).unwrap() == before, "{file}");
    }
}

#[test]
fn verify_finds_a_moved_lora_and_says_when_it_is_gone() {
    let project = project();
    let moved = project.path().join("project/small.safetensors");
    fs::rename(project.path().join("project/loras/small.safetensors"), &moved).unwrap();
    let verify = || -> Verification {
        let options = VerifyOptions { sample: 1, seed: None };
        project.engine().verify("loras", options, &mut |_| ()).unwrap()
    };
    let found = verify();
    let outcomes: Vec<_> = found.again.iter().map(|again| again.outcome).collect();
    assert!(found.is_sound() && outcomes == [SampleOutcome::Identical], "{found:?}");
    fs::remove_file(moved).unwrap();
    let gone = verify();
    assert!(!gone.is_sound());
    assert!(gone.remarks.iter().any(|it| it.starts_with("the lora `small` with the digest")), "{gone:?}");
}

#[test]
fn another_file_under_the_same_name_is_another_picture() {
    let project = project();
    let mut bytes = fs::read(fixture("runs-before/loras/small.safetensors")).unwrap();
    // The last byte is part of a weight.
    *bytes.last_mut().unwrap() ^= 1;
    project.write("project/loras/small.safetensors", bytes);
    let ran = run(&project.engine(), &project.experiment("project/loras.toml"));
    assert_eq!((ran.reason, ran.counts()), (StartReason::Changed, [0, 0, 2, 0]));
}
