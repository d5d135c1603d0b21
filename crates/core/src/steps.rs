//! The number of steps of a picture, for plans and schedulers.

use crate::Scheduler;

/// How many of the last of `steps` steps image-to-image does: `min(int(steps * strength), steps)`, the product in f64.
///
/// Source: `get_timesteps` of diffusers' `StableDiffusionImg2ImgPipeline`.
pub fn steps_left(steps: u32, strength: f64) -> u32 {
    ((f64::from(steps) * strength) as u32).min(steps)
}

/// The number of UNet calls for one picture: one for each step that `strength` leaves (`None` means text-to-image); one
/// more with PNDM, which does the second of its timesteps twice; two for every step but the last with Heun.
///
/// Source: `set_timesteps` of diffusers' `PNDMScheduler` with `skip_prk_steps`, and of `HeunDiscreteScheduler`.
pub fn unet_calls(scheduler: Scheduler, steps: u32, strength: Option<f64>) -> usize {
    let left = strength.map_or(steps, |strength| steps_left(steps, strength)) as usize;
    match scheduler {
        Scheduler::Pndm if steps > 1 => left + 1,
        Scheduler::Heun => (2 * left).saturating_sub(1),
        _ => left,
    }
}

/// The strength that represents all strengths that leave the same number of steps: the smallest one, `left / steps`.
pub(crate) fn named_strength(steps: u32, strength: f64) -> f64 {
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

    #[test]
    fn the_smallest_strength_represents_all_that_leave_the_same_steps() {
        for steps in 1..=1000 {
            for left in 0..steps {
                let least = named_strength(steps, (f64::from(left) + 0.5) / f64::from(steps));
                assert_eq!(steps_left(steps, least), left, "{steps} {left}");
                assert_eq!(named_strength(steps, least), least, "{steps} {left}");
            }
        }
        assert_eq!(named_strength(10, 0.85), 0.8);
        assert_eq!(named_strength(10, 1.0), 1.0);
        // With a mask, a strength of 1 starts from pure noise: no smaller strength may have the same name.
        assert!((1..=1000).all(|steps| named_strength(steps, 1.0_f64.next_down()) < 1.0));
    }
}
