//! What a training refuses, and why; what it does if it diverges.

use crate::jobs::{Case, Prepared, case, run};
use maquette_trainer::TrainError;

/// The message of a training that is refused after `change`.
fn refused(name: &str, change: impl FnOnce(&mut Case)) -> String {
    let mut case = case(name);
    case.settings.steps = 2;
    change(&mut case);
    run(&Prepared::new(&case).job(None), None).err().expect("an error").to_string()
}

fn check(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn settings_that_no_training_can_have() {
    check(&refused("lora", |case| case.settings.rank = 0), &["`rank` is 0", "1 to 1024"]);
    check(&refused("vectors", |case| case.settings.num_vectors = 9), &["`num_vectors` is 9", "1 to 8"]);
    check(&refused("lora", |case| case.settings.batch_size = 0), &["`batch_size` is 0", "at least 1"]);
    check(&refused("vectors", |case| case.settings.word = "man".into()), &["`man`", "vocabulary", "`<man>`"]);
    check(&refused("vectors", |case| case.settings.class = String::new()), &["`class` is empty"]);
    check(&refused("lora", |case| case.settings.captions.clear()), &["`me` has no pictures", "4 to 20"]);
    check(&refused("lora", |case| case.settings.captions.truncate(2)), &["lists 2 pictures, but 3"]);

    let mut prepared = Prepared::new(&case("lora"));
    let mut job = prepared.job(None);
    job.class_pictures.clear();
    check(
        &run(&job, None).err().expect("an error").to_string(),
        &["`class_prompt`", "no pictures of the class"],
    );
    drop(job);
    prepared.training.resolution = (33, 32);
    let message = run(&prepared.job(None), None).err().expect("an error").to_string();
    check(&message, &["33x32", "multiples of 2"]);
}

#[test]
fn a_training_that_diverges_stops_and_says_what_to_try() {
    let mut case = case("lora");
    case.settings.learning_rate = 1e30;
    case.settings.lr_warmup_steps = 0;
    case.settings.steps = 10;
    let prepared = Prepared::new(&case);
    let mut job = prepared.job(None);
    job.checkpoints = [1].into();
    let mut checkpoints = Vec::new();
    let error = maquette_trainer::train(&job, &mut |event| {
        if let maquette_trainer::TrainEvent::Checkpoint { step, .. } = event {
            checkpoints.push(step);
        }
        std::ops::ControlFlow::Continue(())
    });
    let error = error.expect_err("the loss is not finite");
    assert!(matches!(error, TrainError::NotFinite { step: 2..=4, .. }), "{error:?}");
    check(&error.to_string(), &["diverged", "lower learning rate"]);
    assert_eq!(checkpoints, [1], "no checkpoint of weights that are not finite");
}

#[test]
fn a_state_of_another_training_is_refused() {
    let mut case = case("lora");
    case.settings.steps = 2;
    let (_, report) = run(&Prepared::new(&case).job(None), None).unwrap();
    let state = &report.checkpoints[0].2;
    case.settings.learning_rate *= 2.0;
    let other = Prepared::new(&case);
    let message = run(&other.job(Some(state)), None).err().expect("an error").to_string();
    check(&message, &["saved state", "another training"]);
    let message = run(&other.job(Some(&state[..100])), None).err().expect("an error").to_string();
    check(&message, &["saved state"]);
}
