//! The number of steps of a picture, for plans and schedulers.

use crate::Scheduler;

/// How many of the last of `steps` steps image-to-image does: `min(int(steps * strength), steps)`, the product in f64.
///
/// Source: `get_timesteps` of diffusers' `StableDiffusionImg2ImgPipeline`.
pub fn steps_left(steps: u32, strength: f64) -> u32 {
    ((f64::from(steps) * strength) as u32).min(steps)
}

/// The same with a scheduler: those of flow do `steps - int(steps - steps * strength)`, which rounds up where the others round
/// down.
///
/// Source: `get_timesteps` of diffusers' `StableDiffusion3Img2ImgPipeline` and `ZImageImg2ImgPipeline`.
pub fn steps_left_with(scheduler: Scheduler, steps: u32, strength: f64) -> u32 {
    if !scheduler.is_flow() {
        return steps_left(steps, strength);
    }
    let all = f64::from(steps);
    let skipped = (all - (all * strength).min(all)).max(0.0) as u32;
    steps - skipped.min(steps)
}

/// The number of UNet calls for one picture: one for each step that `strength` leaves (`None` means text-to-image); one
/// more with PNDM, which does the second of its timesteps twice; two for every step but the last with Heun,
/// also with its flow form.
///
/// Source: `set_timesteps` of diffusers' `PNDMScheduler` with `skip_prk_steps`, and of `HeunDiscreteScheduler`.
pub fn unet_calls(scheduler: Scheduler, steps: u32, strength: Option<f64>) -> usize {
    let left = strength.map_or(steps, |strength| steps_left_with(scheduler, steps, strength)) as usize;
    match scheduler {
        Scheduler::Pndm if steps > 1 => left + 1,
        Scheduler::Heun | Scheduler::FlowHeun => (2 * left).saturating_sub(1),
        _ => left,
    }
}

/// The strength that represents all strengths that leave the same number of steps: `left / steps`, the smallest one, or the
/// largest one with schedulers of flow, which round up.
pub(crate) fn named_strength(scheduler: Scheduler, steps: u32, strength: f64) -> f64 {
    if scheduler.is_flow() {
        return f64::from(steps_left_with(scheduler, steps, strength)) / f64::from(steps);
    }
    let left = steps_left(steps, strength);
    let least = f64::from(left) / f64::from(steps);
    // The quotient may have been rounded down to a strength that leaves one step less.
    if steps_left(steps, least) < left { least.next_up() } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_as_in_diffusers() {
        let check = |scheduler, steps, strength, expected| {
            assert_eq!(unet_calls(scheduler, steps, strength), expected, "{scheduler} {steps} {strength:?}");
        };
        check(Scheduler::Ddim, 50, None, 50);
        check(Scheduler::Pndm, 50, None, 51);
        check(Scheduler::Pndm, 1, None, 1);
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

    /// diffusers' `get_timesteps`, evaluated in Python.
    #[test]
    fn schedulers_of_flow_round_the_steps_up() {
        let check = |steps, strength, expected| {
            assert_eq!(
                steps_left_with(Scheduler::FlowEuler, steps, strength),
                expected,
                "{steps} {strength}"
            );
            assert_eq!(
                unet_calls(Scheduler::FlowHeun, steps, Some(strength)),
                (2 * expected as usize).max(1) - 1
            );
        };
        check(8, 1.0, 8);
        check(8, 0.6, 5);
        check(7, 0.5, 4);
        check(9, 0.01, 1);
        check(9, 0.0, 0);
        check(20, 0.55, 11);
        check(100, 0.29, 29);
        check(50, 0.58, 29);
        assert_eq!(named_strength(Scheduler::FlowEuler, 8, 0.6), 0.625);
        assert_eq!(named_strength(Scheduler::FlowEuler, 8, 0.51), 0.625);
    }

    #[test]
    fn the_smallest_strength_represents_all_that_leave_the_same_steps() {
        for steps in 1..=1000 {
            for left in 0..steps {
                let least =
                    named_strength(Scheduler::Ddim, steps, (f64::from(left) + 0.5) / f64::from(steps));
                assert_eq!(steps_left(steps, least), left, "{steps} {left}");
                assert_eq!(named_strength(Scheduler::Ddim, steps, least), least, "{steps} {left}");
            }
        }
        assert_eq!(named_strength(Scheduler::Ddim, 10, 0.85), 0.8);
        assert_eq!(named_strength(Scheduler::Ddim, 10, 1.0), 1.0);
        // With a mask, a strength of 1 starts from pure noise: no smaller strength may have the same name.
        assert!((1..=1000).all(|steps| named_strength(Scheduler::Ddim, steps, 1.0_f64.next_down()) < 1.0));
    }
}
