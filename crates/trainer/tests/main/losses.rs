//! The loss of every step against diffusers and peft (`tests/fixtures/training.py`).

use crate::jobs::{Prepared, case, cases, device, run};
use maquette_core::MixedPrecision;
use maquette_diffusion::DeviceName;

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

/// bf16 has 8 bits of precision: losses differ by less than a percent from those in f32 where only weights are rounded, as on a CPU,
/// and by less than three where activations are, too.
#[test]
fn a_lora_trains_in_bf16() {
    for name in ["lora-all", "lora-sdxl"] {
        let mut case = case(name);
        case.settings.steps = 10;
        let mut prepared = Prepared::new(&case);
        prepared.training.mixed_precision = MixedPrecision::Bf16;
        let (_, report) = run(&prepared.job(None), None).unwrap();
        for (found, expected) in report.losses.iter().zip(&case.losses) {
            let most = if device() == DeviceName::Cpu { 1e-2 } else { 3e-2 };
            assert!((found - expected).abs() / expected < most, "{name}: {found} instead of {expected}");
        }
        assert!(report.losses[..] != case.losses[..10], "{name}: as in f32");
    }
}
