//! How often the UNet is called for a picture.

use maquette_core::Scheduler;

/// Calls of the UNet for one picture, as diffusers counts: all `steps` from a prompt alone, `int(steps × strength)` of
/// them from a picture; one more with PNDM, whose first step is done twice; two for every step but the last with Heun.
///
/// Source: `get_timesteps` of diffusers' StableDiffusionImg2ImgPipeline, `PNDMScheduler.set_timesteps` with
/// `skip_prk_steps` and `HeunDiscreteScheduler.set_timesteps`. `strength` is `None` without a picture.
pub fn unet_calls(scheduler: Scheduler, steps: usize, strength: Option<f64>) -> usize {
    let done = match strength {
        None => steps,
        Some(strength) => ((steps as f64 * strength) as usize).min(steps),
    };
    match scheduler {
        Scheduler::Pndm => done + 1,
        Scheduler::Heun => (2 * done).saturating_sub(1),
        _ => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_as_diffusers_does() {
        let check = |scheduler, steps, strength, expected| {
            assert_eq!(unet_calls(scheduler, steps, strength), expected, "{scheduler} {steps} {strength:?}");
        };
        check(Scheduler::Ddim, 50, None, 50);
        check(Scheduler::Pndm, 50, None, 51);
        check(Scheduler::Ddim, 50, Some(0.8), 40);
        check(Scheduler::Euler, 20, Some(0.35), 7);
        check(Scheduler::EulerA, 100, Some(0.57), 56);
        check(Scheduler::Ddim, 50, Some(1.0), 50);
        check(Scheduler::Ddim, 10, Some(0.05), 0);
        check(Scheduler::Pndm, 10, Some(0.0), 1);
        check(Scheduler::Heun, 20, None, 39);
        check(Scheduler::Heun, 20, Some(0.5), 19);
        check(Scheduler::Heun, 20, Some(0.0), 0);
        check(Scheduler::Lcm, 4, Some(0.5), 2);
    }
}
