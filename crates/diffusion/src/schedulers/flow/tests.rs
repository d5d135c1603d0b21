//! Whole trajectories against diffusers' own schedulers on a made-up model (`tests/fixtures/flow.py`).

use super::*;
use crate::noise::TorchCpu;
use crate::schedulers::tests::{answer, run, sampling};
use serde::Deserialize;
use std::collections::BTreeMap;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/flow");

#[derive(Deserialize)]
struct Known {
    configs: BTreeMap<String, FlowConfig>,
    cases: Vec<Case>,
}

/// A run of diffusers.
#[derive(Debug, Deserialize)]
struct Case {
    config: String,
    scheduler: Scheduler,
    steps: u32,
    range: String,
    mu: String,
    tokens: usize,
    strength: Option<f64>,
    shift: Option<f64>,
    calls: usize,
}

impl Case {
    fn rule(&self) -> FlowRule {
        FlowRule {
            range: if self.range == "of_training" { SigmaRange::OfTraining } else { SigmaRange::ToLastStep },
            mu: if self.mu == "line" { Mu::Line } else { Mu::Empirical },
        }
    }

    fn sampling(&self) -> Sampling {
        Sampling { shift: self.shift, ..sampling(self.scheduler, self.steps, self.strength) }
    }
}

fn known() -> Known {
    serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURES}/schedulers.json")).unwrap()).unwrap()
}

#[test]
fn latents_after_every_call_match_diffusers() {
    let Known { configs, cases } = known();
    let bytes = std::fs::read(format!("{FIXTURES}/schedulers.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut wrong = Vec::new();
    for (k, case) in cases.iter().enumerate() {
        let trajectory =
            flow_trajectory(&configs[&case.config], case.rule(), &case.sampling(), case.tokens).unwrap();
        assert_eq!(trajectory.steps.len(), case.calls, "{case:?}");
        let mut generator = TorchCpu::new(case.steps.into());
        let noise = || -> [f64; 4] { std::array::from_fn(|_| f64::from(generator.randn(1)[0])) };
        let rows = run(&trajectory, [0.9, -1.6, 0.4, 1.2], noise, answer);
        let last = rows[1..].iter().skip(case.calls.saturating_sub(6));
        let expected: Vec<f32> = tensors
            .tensor(&k.to_string())
            .unwrap()
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        let found: Vec<_> = rows[..1].iter().chain(last).collect();
        assert_eq!(found.len() * 5, expected.len(), "{case:?}");
        for ((timestep, latents), expected) in found.into_iter().zip(expected.chunks_exact(5)) {
            let scale = expected[1..].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let off = latents.iter().zip(&expected[1..]).map(|(x, y)| (*x as f32 - y).abs());
            if (timestep - expected[0]).abs() > 1e-3 || off.fold(0.0, f32::max) > 1e-4 * scale {
                wrong.push(format!("{case:?}: {timestep} {latents:?} is not {expected:?}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_perfect_prediction_is_denoised_to_the_data() {
    let data = 0.7;
    for scheduler in [Scheduler::FlowEuler, Scheduler::FlowHeun, Scheduler::FlowDpmpp2m] {
        let rule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };
        let trajectory =
            flow_trajectory(&FlowConfig::default(), rule, &sampling(scheduler, 9, None), 64).unwrap();
        let perfect = |input: [f64; 4], step: &Step| {
            input.map(|x| (x - step.level.image * data) / step.level.noise - data)
        };
        let (_, last) = run(&trajectory, [0.0; 4], || [1.3; 4], perfect).pop().unwrap();
        assert!((last[0] - data).abs() < 1e-3, "{scheduler} ends at {last:?}");
    }
}

#[test]
fn what_would_be_ignored_is_refused() {
    let rule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };
    let check = |config: FlowConfig, scheduler, expected: &str| {
        let error = flow_trajectory(&config, rule, &sampling(scheduler, 8, None), 64).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        FlowConfig { shift_terminal: Some(1.5), ..FlowConfig::default() },
        Scheduler::FlowEuler,
        "`shift_terminal` is `1.5` in scheduler_config.json; supported: a number from 0 to below 1",
    );
    check(
        FlowConfig { stochastic_sampling: Some(true), ..FlowConfig::default() },
        Scheduler::FlowHeun,
        "`stochastic_sampling` is `true` in scheduler_config.json; supported: `false`",
    );
    check(
        FlowConfig::default(),
        Scheduler::Ddim,
        "`ddim` cannot be used with a model that predicts flow; allowed: flow_euler, flow_heun, flow_dpmpp_2m",
    );
}

#[test]
fn one_step_cannot_end_at_another_sigma() {
    let rule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };
    let config = FlowConfig { shift_terminal: Some(0.02), ..FlowConfig::default() };
    let of = |scheduler, steps| flow_trajectory(&config, rule, &sampling(scheduler, steps, None), 64);
    assert!(matches!(of(Scheduler::FlowEuler, 1), Err(ScheduleError::OneStep { .. })));
    let last = of(Scheduler::FlowEuler, 2).unwrap().steps.pop().unwrap();
    assert!((last.level.noise - 0.02).abs() < 1e-7);
    assert!(of(Scheduler::FlowHeun, 1).is_ok());
}

/// A plan counts calls before a model is loaded: a trajectory must have the same number.
#[test]
fn a_trajectory_has_as_many_steps_as_a_plan_counts() {
    let rule = FlowRule { range: SigmaRange::OfTraining, mu: Mu::Line };
    for scheduler in [Scheduler::FlowEuler, Scheduler::FlowHeun, Scheduler::FlowDpmpp2m] {
        for steps in 1..=60 {
            for strength in [0.0, 0.01, 0.1, 0.29, 0.5, 0.58, 0.999, 1.0] {
                let sampling = sampling(scheduler, steps, Some(strength));
                let counted = unet_calls(scheduler, steps, Some(strength));
                match flow_trajectory(&FlowConfig::default(), rule, &sampling, 64) {
                    Ok(trajectory) => assert_eq!(trajectory.steps.len(), counted, "{sampling:?}"),
                    Err(error) => {
                        assert_eq!((counted, matches!(error, ScheduleError::NoSteps { .. })), (0, true));
                    }
                }
            }
        }
    }
}
