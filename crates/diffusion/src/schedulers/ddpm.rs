//! DDPM (Ho et al., arXiv 2006.11239, formulas 6 and 7); diffusers' `DDPMScheduler`.

use super::prediction::Estimates;
use super::schedule::{PURE_NOISE, level};
use super::setup::Setup;
use super::{Step, Sum, Trajectory, spacing};

/// `None` if a timestep is beyond the training.
pub(super) fn trajectory(setup: &Setup) -> Option<Trajectory> {
    let Setup { config, schedule, prediction, .. } = setup;
    let clip = config.clip(true);
    let large = config.variance_type.as_deref() == Some("fixed_large");
    let timesteps = spacing::whole(setup);
    // Each step goes to the next timestep in the list, the last one to zero noise.
    let next = timesteps.iter().skip(1).map(Some).chain([None]);
    let step = |(&timestep, next): (&i64, Option<&i64>)| {
        let alpha = schedule.alpha(timestep)?;
        let alpha_next = next.map_or(Some(1.0), |&next| schedule.alpha(next))?;
        let alpha_here = alpha / alpha_next;
        let beta_here = 1.0 - alpha_here;
        let variance = (1.0 - alpha_next) / (1.0 - alpha) * beta_here;
        let variance = if large { beta_here } else { variance.max(1e-20) };
        let kept = alpha_here.sqrt() * (1.0 - alpha_next) / (1.0 - alpha);
        let sum = Sum { sample: kept, ..Sum::default() };
        let weight = alpha_next.sqrt() * beta_here / (1.0 - alpha);
        let next = sum.plus_clean(weight, prediction.clean(level(alpha)), clip);
        Some(Step::alone(timestep, level(alpha), next, (timestep > 0).then_some(variance.sqrt())))
    };
    let steps = timesteps.iter().zip(next).skip(setup.skipped).map(step).collect::<Option<_>>()?;
    Some(Trajectory { start: PURE_NOISE, steps })
}
