//! The loss of every step against diffusers and peft (`tests/fixtures/training.py`).

use crate::jobs::{Prepared, cases, run};

/// Rounding grows from step to step, so this is the most of the last steps.
const MOST: f32 = 1e-4;

#[test]
fn every_step_has_the_loss_of_diffusers_and_peft() {
    for case in cases() {
        let prepared = Prepared::new(&case);
        let (_, report) = run(&prepared.job(None), None).unwrap();
        assert_eq!(report.losses.len(), case.losses.len(), "{}", case.name);
        for (step, (found, expected)) in report.losses.iter().zip(&case.losses).enumerate() {
            let error = (found - expected).abs() / expected;
            assert!(error < MOST, "{}, step {}: {found} instead of {expected}", case.name, step + 1);
        }
    }
}
