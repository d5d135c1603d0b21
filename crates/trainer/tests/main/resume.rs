//! The same training gives the same bytes: interrupted, and with another number of threads.

use crate::jobs::{Prepared, case, run};
use maquette_trainer::Trained;

#[test]
fn a_training_that_is_stopped_and_resumed_gives_the_same_bytes() {
    for name in ["lora", "vectors-sdxl", "dreambooth"] {
        let mut case = case(name);
        case.settings.steps = 10;
        let prepared = Prepared::new(&case);
        let (trained, whole) = run(&prepared.job(None), None).unwrap();
        assert_eq!(trained, Trained::Finished);
        let [(10, weights, state)] = &whole.checkpoints[..] else {
            panic!("one checkpoint, after the last step")
        };

        let (trained, first) = run(&prepared.job(None), Some(5)).unwrap();
        assert_eq!(trained, Trained::Stopped { step: 5 });
        let [(5, _, half)] = &first.checkpoints[..] else { panic!("a checkpoint where it was stopped") };
        let (_, second) = run(&prepared.job(Some(half)), None).unwrap();
        assert_eq!([first.losses, second.losses].concat(), whole.losses, "{name}");
        assert!(second.checkpoints[0].1 == *weights, "{name}: other weights");
        assert!(second.checkpoints[0].2 == *state, "{name}: another state");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for name in ["lora-all", "dreambooth"] {
        let mut case = case(name);
        case.settings.steps = 4;
        let prepared = Prepared::new(&case);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&prepared.job(None), None).unwrap().1.checkpoints.pop().unwrap())
        };
        assert!(with(1) == with(5), "{name}");
    }
}

#[test]
fn gradient_checkpointing_changes_no_bit() {
    for name in ["lora", "lora-all", "lora-sdxl", "vectors-sdxl", "dreambooth"] {
        let mut case = case(name);
        case.settings.steps = 4;
        let mut prepared = Prepared::new(&case);
        let (_, mut kept) = run(&prepared.job(None), None).unwrap();
        prepared.training.gradient_checkpointing = true;
        let (_, mut again) = run(&prepared.job(None), None).unwrap();
        assert!(again.losses == kept.losses, "{name}: other losses");
        assert!(again.checkpoints.pop() == kept.checkpoints.pop(), "{name}: other weights");
    }
}
