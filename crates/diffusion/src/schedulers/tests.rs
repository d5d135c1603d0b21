//! Whole trajectories against diffusers' own schedulers on a made-up model (`tests/fixtures/schedulers.py`), and the
//! weights of single steps against known answers.

use super::*;
use crate::noise::TorchCpu;
use maquette_core::{PredictionType, Spacing};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

#[derive(Deserialize)]
struct Known {
    configs: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    cases: Vec<Case>,
}

/// A run of diffusers.
#[derive(Debug, Deserialize)]
struct Case {
    config: String,
    scheduler: Scheduler,
    steps: u32,
    strength: Option<f64>,
    eta: Option<f64>,
    sigmas: Option<Sigmas>,
    spacing: Option<Spacing>,
    calls: usize,
    stride: usize,
    resolved_spacing: Spacing,
}

fn known(file: &str) -> Known {
    serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURES}/{file}.json")).unwrap()).unwrap()
}

/// The configuration of Stable Diffusion v1-4.
fn v1() -> SchedulerConfig {
    SchedulerConfig::read(&known("schedulers").configs["v1"]).unwrap()
}

/// With the class's own spacing.
pub(super) fn sampling(scheduler: Scheduler, steps: u32, strength: Option<f64>) -> Sampling {
    let spacing = scheduler.own_spacing().unwrap_or(Spacing::Leading);
    let (prediction_type, zero_snr) = (None, None);
    Sampling {
        scheduler,
        steps,
        strength,
        eta: 0.0,
        sigmas: Sigmas::Normal,
        spacing,
        prediction_type,
        zero_snr,
        shift: None,
        size: (512, 512),
    }
}

/// Runs a trajectory on some values: returns the initial values, and after each call the timestep and the values.
pub(super) fn run(
    trajectory: &Trajectory,
    image: [f64; 4],
    mut noise: impl FnMut() -> [f64; 4],
    answer: impl Fn([f64; 4], &Step) -> [f64; 4],
) -> Vec<(f32, [f64; 4])> {
    let Trajectory { start, steps } = trajectory;
    let drawn = noise();
    let mut latents: [f64; 4] = std::array::from_fn(|i| start.image * image[i] + start.noise * drawn[i]);
    let (mut history, mut remembered) = (VecDeque::<[f64; 4]>::new(), [0.0; 4]);
    let mut rows = vec![(0.0, latents)];
    for step in steps {
        let noise_pred = answer(latents.map(|x| x * step.input_scale), step);
        let estimate: [f64; 4] = std::array::from_fn(|i| {
            step.estimate.map_or(0.0, |Estimate { of, clip }| {
                let range = clip.unwrap_or(f64::INFINITY);
                (of.sample * latents[i] + of.noise_pred * noise_pred[i]).clamp(-range, range)
            })
        });
        let sum = |sum: &Sum| -> [f64; 4] {
            assert!(sum.history.len() <= history.len(), "the history is too short");
            std::array::from_fn(|i| {
                let past: f64 = sum.history.iter().zip(&history).map(|(weight, old)| weight * old[i]).sum();
                sum.sample * latents[i]
                    + sum.noise_pred * noise_pred[i]
                    + sum.estimate * estimate[i]
                    + sum.remembered * remembered[i]
                    + past
            })
        };
        let (mut next, remember) = (sum(&step.next), step.remember.as_ref().map(sum));
        if let Some(weight) = step.noise {
            let drawn = noise();
            next = std::array::from_fn(|i| next[i] + weight * drawn[i]);
        }
        remembered = remember.unwrap_or(remembered);
        if step.estimate.is_some() {
            history.push_front(estimate);
        }
        latents = next;
        rows.push((step.timestep, latents));
    }
    rows
}

/// The prediction of the fixtures' made-up UNet.
pub(super) fn answer(latents: [f64; 4], step: &Step) -> [f64; 4] {
    std::array::from_fn(|i| {
        let neighbour = latents[(i + 3) % 4];
        (0.3 * latents[i] + 0.2 * neighbour + 0.003 * f64::from(step.timestep) + i as f64).sin()
    })
}

#[test]
fn latents_after_every_call_match_diffusers() {
    latents_match("schedulers");
}

/// Whatever class a file names, and with values that only other classes write.
#[test]
fn schedulers_made_from_files_of_other_classes_match_diffusers() {
    latents_match("readings/schedulers");
}

fn latents_match(file: &str) {
    let Known { configs, cases } = known(file);
    let bytes = std::fs::read(format!("{FIXTURES}/{file}.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut wrong = Vec::new();
    for (k, case) in cases.iter().enumerate() {
        let config = &SchedulerConfig::read(&configs[&case.config]).unwrap();
        let Case { scheduler, steps, strength, .. } = *case;
        let own = scheduler.own_spacing().unwrap_or(case.resolved_spacing);
        let spacing = case.spacing.or(config.timestep_spacing).unwrap_or(own);
        assert!(spacing == case.resolved_spacing || scheduler == Scheduler::Lcm, "{case:?}");
        let sigmas = case.sigmas.or(config.sigmas()).unwrap_or(Sigmas::Normal);
        let eta = case.eta.unwrap_or(0.0);
        let sampling = Sampling { eta, sigmas, spacing, ..sampling(scheduler, steps, strength) };
        let trajectory = match trajectory(config, &sampling) {
            Ok(trajectory) => trajectory,
            Err(error) => {
                wrong.push(format!("{case:?}: {error}"));
                continue;
            }
        };
        if trajectory.steps.len() != case.calls {
            wrong.push(format!("{case:?}: {} calls", trajectory.steps.len()));
            continue;
        }
        let mut generator = TorchCpu::new(steps.into());
        let mut noise = || -> [f64; 4] { std::array::from_fn(|_| f64::from(generator.randn(1)[0])) };
        let rows = run(&trajectory, [0.9, -1.6, 0.4, 1.2], &mut noise, answer);
        let thinned: Vec<_> = rows[..1]
            .iter()
            .chain(rows[1..].iter().skip((case.calls - 1) % case.stride).step_by(case.stride))
            .collect();
        let expected: Vec<f32> = tensors
            .tensor(&k.to_string())
            .unwrap()
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(thinned.len() * 5, expected.len(), "{case:?}");
        for (row, ((timestep, latents), expected)) in thinned.iter().zip(expected.chunks_exact(5)).enumerate()
        {
            let scale = expected[1..].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let off =
                latents.iter().zip(&expected[1..]).map(|(x, y)| (*x as f32 - y).abs()).fold(0.0, f32::max);
            if (timestep - expected[0]).abs() > 1e-3 || off > 1e-4 * scale {
                wrong.push(format!("{case:?}: row {row}: {timestep} {latents:?} is not {expected:?}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_perfect_prediction_is_denoised_to_the_data() {
    // If all data is one point, the noise in any latents is known exactly, and every scheduler must get from pure noise
    // to that point: deterministic ones along a line, the others with fresh noise.
    let data = 0.7;
    for &scheduler in Scheduler::ALL.iter().filter(|scheduler| !scheduler.is_flow()) {
        let trajectory = trajectory(&v1(), &sampling(scheduler, 30, None)).unwrap();
        let mut sign = 1.0;
        let noise = || {
            sign = -sign;
            [sign * 1.3; 4]
        };
        let perfect = |input: [f64; 4], step: &Step| {
            // The input is scaled by `input_scale`.
            input.map(|x| (x / step.input_scale - step.level.image * data) / step.level.noise)
        };
        let (_, last) = run(&trajectory, [0.0; 4], noise, perfect).pop().unwrap();
        assert!((last[0] - data).abs() < 0.05, "{scheduler} ends at {last:?}");
    }
}

#[test]
fn image_to_image_starts_at_the_level_of_its_first_step() {
    for &scheduler in Scheduler::ALL.iter().filter(|scheduler| !scheduler.is_flow()) {
        for strength in [0.3, 0.75, 1.0] {
            let Trajectory { start, steps } =
                trajectory(&v1(), &sampling(scheduler, 20, Some(strength))).unwrap();
            assert_eq!(start, steps[0].level, "{scheduler} at {strength}");
            assert!(steps.windows(2).all(|pair| pair[0].level.noise >= pair[1].level.noise), "{scheduler}");
        }
    }
}

#[test]
fn the_noise_schedule_has_known_values() {
    let schedule = Schedule::new(&v1(), Scheduler::Pndm);
    let check = |timestep, expected: f64| {
        let alpha = schedule.alpha(timestep).unwrap();
        assert!((alpha - expected).abs() < 1e-8 * expected.max(0.1), "{timestep}: {alpha}");
    };
    check(0, 0.99914998);
    check(500, 0.27633247);
    check(981, 0.0057754959);
    check(999, 0.0046600951);
    assert_eq!(schedule.alpha(1000), None);
    assert!((schedule.sigma(0) - 0.02916753).abs() < 1e-7);
    assert!((schedule.sigma(999) - 14.614_647).abs() < 1e-5);
}

#[test]
fn pndm_repeats_its_first_step_from_the_same_latents() {
    let steps = trajectory(&v1(), &sampling(Scheduler::Pndm, 50, None)).unwrap().steps;
    assert_eq!(steps.len(), 51);
    assert!(steps[0].remember.is_some() && steps[0].estimate.is_some() && steps[1].estimate.is_none());
    assert_eq!(steps[1].next.sample, 0.0);
    assert_eq!(steps[1].next.remembered, steps[0].next.sample);
}

#[test]
fn schedulers_draw_noise_in_the_expected_steps() {
    let check = |scheduler, eta, expected| {
        let sampling = Sampling { eta, ..sampling(scheduler, 8, None) };
        let steps = trajectory(&v1(), &sampling).unwrap().steps;
        assert_eq!(steps.iter().filter(|step| step.noise.is_some()).count(), expected, "{scheduler}");
    };
    check(Scheduler::Pndm, 0.0, 0);
    check(Scheduler::Ddim, 0.0, 0);
    check(Scheduler::Ddim, 0.1, 8);
    // The last timestep is 1, above 0.
    check(Scheduler::Ddpm, 0.0, 8);
    check(Scheduler::EulerA, 0.0, 8);
    check(Scheduler::Heun, 0.0, 0);
    check(Scheduler::Dpmpp2m, 0.0, 0);
    check(Scheduler::Unipc, 0.0, 0);
    check(Scheduler::Lcm, 0.0, 7);
}

#[test]
fn clipping_defaults_to_that_of_the_class() {
    let check = |scheduler, expected| {
        let config = SchedulerConfig { clip_sample: None, ..v1() };
        let steps = trajectory(&config, &sampling(scheduler, 4, None)).unwrap().steps;
        assert_eq!(steps[0].estimate.and_then(|estimate| estimate.clip), expected, "{scheduler}");
    };
    check(Scheduler::Ddim, Some(1.0));
    check(Scheduler::Ddpm, Some(1.0));
    check(Scheduler::Heun, None);
    check(Scheduler::Lcm, None);
    check(Scheduler::Dpmpp2m, None);
}

#[test]
fn impossible_schedules_are_errors() {
    let check = |scheduler, steps, strength, expected: &str| {
        let error = trajectory(&v1(), &sampling(scheduler, steps, strength)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        Scheduler::Ddim,
        20,
        Some(0.04),
        "`ddim` has no steps to run: int(steps 20 x strength 0.04) is 0; allowed: a strength of at least 1/20",
    );
    check(
        Scheduler::Pndm,
        1000,
        None,
        "`pndm` cannot run 1000 steps: the model's `num_train_timesteps` is 1000; allowed: fewer steps",
    );
    check(
        Scheduler::Lcm,
        51,
        None,
        "`lcm` cannot run 51 steps: the model's `original_inference_steps` is 50; allowed: fewer steps",
    );
    let twice = "cannot run 1000 steps with this model: two steps have the same timestep, or its noise schedule \
                 ends in pure noise; allowed: fewer steps, or another scheduler or spacing";
    check(Scheduler::Dpmpp2m, 1000, None, &format!("`dpmpp_2m` {twice}"));
    check(Scheduler::Unipc, 1000, None, &format!("`unipc` {twice}"));
}

/// A configuration that is not supported, or divides by zero, is refused with the name of the key.
#[test]
fn configurations_that_are_not_supported_are_refused_by_name() {
    let check = |scheduler, key: &str, value: &str, expected: &str| {
        let mut file: serde_json::Value = serde_json::from_str(
            r#"{ "_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "skip_prk_steps": true }"#,
        )
        .unwrap();
        file[key] = serde_json::from_str(value).unwrap();
        let config = SchedulerConfig::read(file.as_object().unwrap()).unwrap();
        let error = trajectory(&config, &sampling(scheduler, 8, None)).unwrap_err().to_string();
        assert_eq!(error, format!("`{key}` is {expected}"));
    };
    use Scheduler::*;
    check(
        Dpmpp2m,
        "algorithm_type",
        r#""sde-dpmsolver++""#,
        "`sde-dpmsolver++` in scheduler_config.json; supported: `dpmsolver++`",
    );
    check(Dpmpp2m, "solver_type", r#""heun""#, "`heun` in scheduler_config.json; supported: `midpoint`");
    check(Dpmpp2m, "solver_order", "3", "`3` in scheduler_config.json; supported: `2`");
    check(
        Dpmpp2m,
        "final_sigmas_type",
        r#""sigma_min""#,
        "`sigma_min` in scheduler_config.json; supported: `zero`",
    );
    check(Unipc, "solver_type", r#""bh1""#, "`bh1` in scheduler_config.json; supported: `bh2`");
    check(Unipc, "predict_x0", "false", "`false` in scheduler_config.json; supported: `true`");
    check(Unipc, "use_flow_sigmas", "true", "`true` in scheduler_config.json; supported: `false`");
    check(Pndm, "skip_prk_steps", "false", "`false` in scheduler_config.json; supported: `true`");
    check(
        Pndm,
        "prediction_type",
        r#""sample""#,
        "`sample` in scheduler_config.json; supported: `epsilon`, `v_prediction`",
    );
    check(Ddim, "thresholding", "true", "`true` in scheduler_config.json; supported: `false`");
    check(
        Ddpm,
        "variance_type",
        r#""learned_range""#,
        "`learned_range` in scheduler_config.json; supported: `fixed_small`, `fixed_small_log`, `fixed_large`",
    );
    check(
        Euler,
        "interpolation_type",
        r#""log_linear""#,
        "`log_linear` in scheduler_config.json; supported: `linear`",
    );
    check(Heun, "use_beta_sigmas", "true", "`true` in scheduler_config.json; supported: `false`");
    check(
        Lcm,
        "original_inference_steps",
        "0",
        "`0` in scheduler_config.json; supported: 1 to 1000, the number of training timesteps",
    );
    check(Pndm, "beta_start", "null", "`null` in scheduler_config.json; supported: a value, or no such key");
    check(
        Dpmpp2m,
        "solver_order",
        "null",
        "`null` in scheduler_config.json; supported: a value, or no such key",
    );
    check(
        Lcm,
        "timestep_scaling",
        "null",
        "`null` in scheduler_config.json; supported: a value, or no such key",
    );
    check(
        Dpmpp2m,
        "algorithm_type",
        r#""data_prediction""#,
        "`data_prediction` in scheduler_config.json; supported: `dpmsolver++`",
    );
    check(Dpmpp2m, "solver_type", r#""other""#, "`other` in scheduler_config.json; supported: `midpoint`");
    check(
        Dpmpp2m,
        "variance_type",
        r#""learned_range""#,
        "`learned_range` in scheduler_config.json; supported: no such key",
    );
    check(Pndm, "skip_prk_steps", "null", "`false` in scheduler_config.json; supported: `true`");
    check(Lcm, "num_train_timesteps", "1", "`1` in scheduler_config.json; supported: at least 2");
}

#[test]
fn predicting_noise_from_pure_noise_is_an_error() {
    let config = SchedulerConfig { rescale_betas_zero_snr: Some(true), timestep_spacing: None, ..v1() };
    let trailing = |scheduler| Sampling { spacing: Spacing::Trailing, ..sampling(scheduler, 8, None) };
    assert!(matches!(trajectory(&config, &trailing(Scheduler::Ddim)), Err(ScheduleError::NotFinite { .. })));
    assert!(trajectory(&config, &trailing(Scheduler::Euler)).is_ok());
    let config = SchedulerConfig { prediction_type: Some(PredictionType::VPrediction), ..config };
    assert!(trajectory(&config, &trailing(Scheduler::Ddim)).is_ok());
}

/// A plan counts calls before a model is loaded: a trajectory must have the same number.
#[test]
fn a_trajectory_has_as_many_steps_as_a_plan_counts() {
    let config = v1();
    let strengths = [0.0, 0.01, 0.05, 0.1, 0.15, 0.3, 1.0 / 3.0, 0.5, 0.58, 0.75, 0.8, 0.99, 0.999, 1.0];
    for &scheduler in Scheduler::ALL.iter().filter(|scheduler| !scheduler.is_flow()) {
        // LCM has at most as many steps as the model was distilled with.
        for steps in 1..=if scheduler == Scheduler::Lcm { 50 } else { 60 } {
            for strength in strengths.map(Some).into_iter().chain([None]) {
                let counted = unet_calls(scheduler, steps, strength);
                match trajectory(&config, &sampling(scheduler, steps, strength)) {
                    Ok(trajectory) => {
                        assert_eq!(trajectory.steps.len(), counted, "{scheduler} {steps} {strength:?}");
                    }
                    Err(ScheduleError::NoSteps { .. }) => {
                        assert_eq!(counted, 0, "{scheduler} {steps} {strength:?}");
                    }
                    Err(error) => panic!("{scheduler} {steps} {strength:?}: {error}"),
                }
            }
        }
    }
}
