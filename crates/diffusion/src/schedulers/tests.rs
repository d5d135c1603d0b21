//! The schedules against diffusers' own (`tests/fixtures/schedules.json`, with the script that made it), and the
//! weights of single steps against known answers.

use super::*;
use serde::Deserialize;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// The file of Stable Diffusion v1-4.
fn v1_4() -> SchedulerConfig {
    serde_json::from_str(
        r#"{ "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
             "trained_betas": null, "clip_sample": false }"#,
    )
    .unwrap()
}

#[derive(Deserialize)]
struct Known {
    schedules: Vec<KnownSchedule>,
    image_to_image: Vec<KnownImageToImage>,
}

#[derive(Deserialize)]
struct KnownSchedule {
    scheduler: String,
    steps: u32,
    init_noise_sigma: f64,
    timesteps: Vec<f32>,
    sigmas: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct KnownImageToImage {
    scheduler: String,
    steps: u32,
    strength: f64,
    timesteps: Vec<f32>,
}

fn known() -> Known {
    serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURES}/schedules.json")).unwrap()).unwrap()
}

fn timesteps(trajectory: &Trajectory) -> Vec<f32> {
    trajectory.steps.iter().map(|step| step.timestep).collect()
}

#[test]
fn timesteps_and_sigmas_are_those_of_diffusers() {
    for known in known().schedules {
        let scheduler = Scheduler::from_word(&known.scheduler).unwrap();
        let name = format!("{scheduler} {}", known.steps);
        let trajectory = trajectory(&v1_4(), scheduler, known.steps, None).unwrap();
        assert_eq!(timesteps(&trajectory), known.timesteps, "{name}");
        let noise = trajectory.start.noise;
        assert!((noise - known.init_noise_sigma).abs() < 1e-6 * noise, "{name}: {noise}");
        for (step, sigma) in trajectory.steps.iter().zip(known.sigmas.iter().flatten()) {
            let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
            assert!(
                (step.input_scale - scale).abs() < 1e-6 * scale,
                "{name}: {} is not {scale}",
                step.input_scale
            );
        }
    }
}

#[test]
fn image_to_image_leaves_out_the_steps_that_diffusers_leaves_out() {
    for known in known().image_to_image {
        let scheduler = Scheduler::from_word(&known.scheduler).unwrap();
        let name = format!("{scheduler} {} at {}", known.steps, known.strength);
        match trajectory(&v1_4(), scheduler, known.steps, Some(known.strength)) {
            Ok(trajectory) => assert_eq!(timesteps(&trajectory), known.timesteps, "{name}"),
            Err(error) => assert!(known.timesteps.is_empty(), "{name}: {error}"),
        }
    }
}

#[test]
fn image_to_image_starts_at_the_level_of_its_first_step() {
    for &scheduler in Scheduler::ALL {
        for strength in [0.3, 0.75, 1.0] {
            let Trajectory { start, steps } = trajectory(&v1_4(), scheduler, 20, Some(strength)).unwrap();
            assert_eq!(start, steps[0].level, "{scheduler} at {strength}");
            assert!(steps.windows(2).all(|pair| pair[0].level.noise >= pair[1].level.noise), "{scheduler}");
        }
    }
}

#[test]
fn the_noise_schedule_has_its_known_answers() {
    let schedule = Schedule::new(&v1_4()).unwrap();
    let check = |timestep, expected: f64| {
        let alpha = schedule.alpha(timestep).unwrap();
        assert!((alpha - expected).abs() < 1e-8 * expected.max(0.1), "{timestep}: {alpha}");
    };
    check(0, 0.99914998);
    check(500, 0.27633247);
    check(981, 0.0057754959);
    check(999, 0.0046600951);
    assert_eq!(schedule.alpha(1000), None);
    assert!((schedule.sigma(0.0) - 0.02916753).abs() < 1e-7);
    assert!((schedule.sigma(999.0) - 14.6146466).abs() < 1e-5);
}

#[test]
fn pndm_does_its_first_step_twice_from_the_same_latents() {
    let steps = trajectory(&v1_4(), Scheduler::Pndm, 50, None).unwrap().steps;
    assert_eq!(steps.len(), 51);
    assert!(steps[0].remember && steps[0].keep && !steps[1].keep);
    assert_eq!(steps[1].next.sample, 0.0);
    assert_eq!(steps[1].next.remembered, steps[0].next.sample);
    // The history never outgrows what came before.
    let mut kept = 0;
    for step in &steps {
        assert!(step.next.history.len() <= kept);
        kept += usize::from(step.keep);
    }
}

#[test]
fn a_perfect_prediction_is_denoised_to_the_data() {
    // With all data at one point, the noise in any latents is known exactly, and every scheduler must walk from pure
    // noise to that point: deterministic ones along one line, Euler ancestral through fresh noise of its own.
    let data = 0.7;
    for scheduler in [Scheduler::Pndm, Scheduler::Ddim, Scheduler::Euler, Scheduler::EulerA] {
        let schedule = Schedule::new(&v1_4()).unwrap();
        let Trajectory { start, steps } = trajectory(&v1_4(), scheduler, 30, None).unwrap();
        let (mut latents, mut history, mut remembered) = (start.noise * 1.3, Vec::new(), 0.0);
        for (number, step) in steps.iter().enumerate() {
            let noise_pred = match scheduler {
                Scheduler::Pndm | Scheduler::Ddim => {
                    let alpha = schedule.alpha(step.timestep as i64).unwrap();
                    (latents - alpha.sqrt() * data) / (1.0 - alpha).sqrt()
                }
                _ => (latents - data) / schedule.sigma(f64::from(step.timestep)),
            };
            let noise = if number % 2 == 0 { 0.8 } else { -0.8 };
            let next = &step.next;
            let sum = next.sample * latents
                + next.remembered * remembered
                + next.noise_pred * noise_pred
                + next
                    .history
                    .iter()
                    .zip(history.iter().rev())
                    .map(|(weight, kept)| weight * kept)
                    .sum::<f64>()
                + next.noise.unwrap_or(0.0) * noise;
            if step.remember {
                remembered = latents;
            }
            if step.keep {
                history.push(noise_pred);
            }
            latents = sum;
        }
        assert!((latents - data).abs() < 0.05, "{scheduler} ends at {latents}");
    }
}

#[test]
fn clipping_is_ddims_default_where_the_file_is_silent() {
    let config = SchedulerConfig { clip_sample: None, ..v1_4() };
    let steps = trajectory(&config, Scheduler::Ddim, 4, None).unwrap().steps;
    assert_eq!(steps[0].next.clipped.unwrap().range, 1.0);
    assert_eq!(trajectory(&v1_4(), Scheduler::Ddim, 4, None).unwrap().steps[0].next.clipped, None);
}

#[test]
fn impossible_schedules_are_errors() {
    let check = |scheduler, steps, strength, expected: &str| {
        assert_eq!(trajectory(&v1_4(), scheduler, steps, strength).unwrap_err().to_string(), expected);
    };
    check(
        Scheduler::Ddim,
        20,
        Some(0.04),
        "`ddim` has no step to do: int(steps 20 x strength 0.04) is 0; allowed: a strength of at least 1/20",
    );
    check(
        Scheduler::Pndm,
        1000,
        None,
        "`pndm` cannot make 1000 steps of a model trained with 1000; allowed: fewer steps",
    );
    let config = SchedulerConfig { prediction_type: Some(PredictionType::VPrediction), ..v1_4() };
    assert!(trajectory(&config, Scheduler::Ddim, 20, None).is_err());
}
