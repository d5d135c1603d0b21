//! Which configurations the schedulers support; others are refused with the name of the key.

use super::{ScheduleError, SchedulerConfig};
use maquette_core::{PredictionType, Scheduler, Spacing};

/// Refuses what would otherwise be ignored. Keys that the scheduler's class does not have are ignored.
pub(super) fn supported(
    config: &SchedulerConfig,
    scheduler: Scheduler,
    spacing: Spacing,
) -> Result<(), ScheduleError> {
    use Scheduler::{
        Ddim, Ddpm, Dpmpp2m, Euler, EulerA, FlowDpmpp2m, FlowEuler, FlowHeun, Heun, Lcm, Pndm, Unipc,
    };

    let is = |classes: &[Scheduler]| classes.contains(&scheduler);
    let flag = |key, value: Option<bool>, wanted: bool| match value {
        Some(value) if value != wanted => refuse(key, value.to_string(), format!("`{wanted}`")),
        _ => Ok(()),
    };
    let word = |key, value: &Option<String>, allowed: &[&str]| match value {
        Some(value) if !allowed.contains(&value.as_str()) => refuse(key, value.clone(), listed(allowed)),
        _ => Ok(()),
    };

    if let Some(key) =
        null_keys(config, scheduler, spacing).find(|key| config.nulls.iter().any(|null| null == key))
    {
        return refuse(key, "null".to_owned(), "a value, or no such key".to_owned());
    }
    let trained = config.trained_betas.as_ref().map_or(config.num_train_timesteps, Vec::len);
    if trained < 2 {
        return refuse("num_train_timesteps", trained.to_string(), "at least 2".to_owned());
    }
    if config.prediction_type == Some(PredictionType::Sample) && is(&[Pndm, EulerA]) {
        return refuse("prediction_type", "sample".to_owned(), listed(&["epsilon", "v_prediction"]));
    }
    if is(&[Ddim, Ddpm, Dpmpp2m, Unipc, Lcm]) {
        flag("thresholding", config.thresholding, false)?;
    }
    if is(&[Euler, Dpmpp2m, Unipc]) {
        word("final_sigmas_type", &config.final_sigmas_type, &["zero"])?;
    }
    if is(&[Euler, Heun, Dpmpp2m, Unipc]) {
        flag("use_beta_sigmas", config.use_beta_sigmas, false)?;
    }
    match scheduler {
        // Absent means false in diffusers, where PNDM then starts with Runge-Kutta steps.
        Pndm if config.skip_prk_steps != Some(true) => {
            let value = match config.skip_prk_steps {
                Some(_) => "false",
                None => "absent, which means false",
            };
            refuse("skip_prk_steps", value.to_owned(), "`true`".to_owned())
        }
        // `trajectory` refuses those of flow.
        Pndm | Ddim | EulerA | Heun | FlowEuler | FlowHeun | FlowDpmpp2m => Ok(()),
        // Diffusers' `fixed_large_log` gives NaN; learnt variances need another UNet.
        Ddpm => {
            word("variance_type", &config.variance_type, &["fixed_small", "fixed_small_log", "fixed_large"])
        }
        Euler => {
            word("interpolation_type", &config.interpolation_type, &["linear"])?;
            word("timestep_type", &config.timestep_type, &["discrete"])
        }
        Dpmpp2m | Unipc => multistep(config, scheduler),
        Lcm => match config.original_inference_steps() {
            steps if (1..=trained).contains(&steps) => Ok(()),
            steps => refuse(
                "original_inference_steps",
                steps.to_string(),
                format!("1 to {trained}, the number of training timesteps"),
            ),
        },
    }
}

/// The additional keys of DPM-Solver and UniPC.
fn multistep(config: &SchedulerConfig, scheduler: Scheduler) -> Result<(), ScheduleError> {
    if let Some(order) = config.solver_order.filter(|&order| order != 2) {
        return refuse("solver_order", order.to_string(), "`2`".to_owned());
    }
    if config.use_flow_sigmas == Some(true) {
        return refuse("use_flow_sigmas", "true".to_owned(), "`false`".to_owned());
    }
    if scheduler == Scheduler::Unipc {
        // Without it diffusers divides by zero in the last step.
        if config.lower_order_final == Some(false) {
            return refuse("lower_order_final", "false".to_owned(), "`true`".to_owned());
        }
        if config.predict_x0 == Some(false) {
            return refuse("predict_x0", "false".to_owned(), "`true`".to_owned());
        }
        if config.disable_corrector.as_ref().is_some_and(|steps| !steps.is_empty()) {
            return refuse("disable_corrector", "a list of steps".to_owned(), "`[]`".to_owned());
        }
        return one_of("solver_type", config.solver_type.as_deref(), "bh2", &["midpoint", "heun", "logrho"]);
    }
    one_of("algorithm_type", config.algorithm_type.as_deref(), "dpmsolver++", &["deis"])?;
    one_of("solver_type", config.solver_type.as_deref(), "midpoint", &["logrho", "bh1", "bh2"])?;
    if let Some(variance) = config.variance_type.as_deref().filter(|word| word.starts_with("learned")) {
        return refuse("variance_type", variance.to_owned(), "no such key".to_owned());
    }
    if config.use_lu_lambdas == Some(true) {
        return refuse("use_lu_lambdas", "true".to_owned(), "`false`".to_owned());
    }
    match config.lambda_min_clipped {
        Some(lambda) => refuse("lambda_min_clipped", lambda.to_string(), "`-Infinity`".to_owned()),
        None => Ok(()),
    }
}

/// Refuses values other than the class's default and those of other solvers' classes, which diffusers' constructor
/// replaces by the default.
fn one_of(
    key: &'static str,
    value: Option<&str>,
    own: &'static str,
    replaced: &[&str],
) -> Result<(), ScheduleError> {
    match value.filter(|value| *value != own && !replaced.contains(value)) {
        Some(value) => refuse(key, value.to_owned(), listed(&[own])),
        None => Ok(()),
    }
}

/// The keys with which diffusers computes or compares, so that null is an error there.
fn null_keys(
    config: &SchedulerConfig,
    scheduler: Scheduler,
    spacing: Spacing,
) -> impl Iterator<Item = &'static str> {
    use Scheduler::{Ddim, Ddpm, Dpmpp2m, Euler, Heun, Lcm, Unipc};
    let is = |classes: &[Scheduler]| classes.contains(&scheduler);
    let keys: [(bool, &[&'static str]); 7] = [
        (config.trained_betas.is_none(), &["beta_start", "beta_end", "beta_schedule"]),
        (spacing == Spacing::Leading && scheduler != Lcm, &["steps_offset"]),
        (is(&[Ddim, Ddpm, Heun, Lcm]) && config.clip_sample != Some(false), &["clip_sample_range"]),
        (is(&[Euler]), &["interpolation_type", "final_sigmas_type"]),
        (is(&[Dpmpp2m, Unipc]), &["solver_order", "solver_type", "final_sigmas_type"]),
        (is(&[Unipc]), &["disable_corrector"]),
        (is(&[Lcm]), &["original_inference_steps", "timestep_scaling"]),
    ];
    let own = if scheduler == Dpmpp2m { Some("algorithm_type") } else { None };
    keys.into_iter().filter(|(used, _)| *used).flat_map(|(_, keys)| keys).copied().chain(own)
}

fn refuse(key: &'static str, value: String, supported: String) -> Result<(), ScheduleError> {
    Err(ScheduleError::Unsupported { key, value, supported })
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
