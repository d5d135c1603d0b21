//! Steps and denoising strength: ComfyUI does all `steps`, of a longer schedule; diffusers a share of `steps`.
//!
//! After `KSampler.set_steps` in `comfy/samplers.py` and `comfy_extras/nodes_custom_sampler.py` of ComfyUI.

use maquette_core::{Scheduler, steps_left_with};

/// A schedule of which only the last steps are done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Steps of the whole schedule.
    pub steps: i64,
    /// How many of the last ones are done.
    pub done: i64,
    /// The strength as the tool writes it.
    pub denoise: Option<f64>,
}

/// ComfyUI's schedule: `steps` steps of `int(steps / denoise)`; `None` if it does nothing or counts beyond 64 bits.
pub fn schedule(steps: i64, denoise: f64) -> Option<Schedule> {
    // ComfyUI takes anything above 0.9999 as 1.
    let whole = if denoise > 0.9999 { steps as f64 } else { (steps as f64 / denoise).floor() };
    let possible = steps > 0 && denoise > 0.0 && whole < 1e9;
    possible.then_some(Schedule { steps: whole as i64, done: steps, denoise: Some(denoise) })
}

impl Schedule {
    /// The `strength` that leaves exactly the steps that are done: the tool's own number if it does, otherwise the shortest
    /// decimal that does; 1 for the whole schedule. Schedulers of flow round otherwise than the others.
    pub fn strength(&self, scheduler: Scheduler) -> Option<f64> {
        let (steps, done) = (u32::try_from(self.steps).ok()?, u32::try_from(self.done).ok()?);
        let right = |strength: &f64| {
            (0.0..=1.0).contains(strength) && steps_left_with(scheduler, steps, *strength) == done
        };
        let least = self.done as f64 / self.steps as f64;
        let decimals = (1..=9).map(|digits| {
            let unit = 10_f64.powi(digits);
            let scaled = least * unit;
            (if scheduler.is_flow() { scaled.floor() } else { scaled.ceil() }) / unit
        });
        let exact = [least, least.next_up(), least.next_down()];
        self.denoise.into_iter().chain(decimals).chain(exact).find(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::steps_left;

    const EULER: Scheduler = Scheduler::Euler;

    /// How many pairs of steps and strength there are, and for how many ComfyUI's own number leaves too few steps.
    fn count(steps: std::ops::RangeInclusive<i64>, parts: u32) -> (usize, usize) {
        let (mut pairs, mut short) = (0, 0);
        for (steps, part) in steps.flat_map(|steps| (1..parts).map(move |part| (steps, part))) {
            let denoise = f64::from(part) / f64::from(parts);
            let schedule = schedule(steps, denoise).unwrap();
            let left = |strength| i64::from(steps_left(schedule.steps as u32, strength));
            assert_eq!(left(schedule.strength(EULER).unwrap()), steps, "{steps} {denoise}");
            pairs += 1;
            short += usize::from(left(denoise) < steps);
        }
        (pairs, short)
    }

    #[test]
    fn exactly_the_steps_that_comfyui_did_are_given_back() {
        assert_eq!(count(4..=40, 20), (703, 414));
        assert_eq!(count(1..=150, 100).0, 14_850);
    }

    #[test]
    fn every_share_of_a_schedule_has_a_strength() {
        for steps in 1..=200 {
            for done in 0..=steps {
                let strength = Schedule { steps, done, denoise: None }.strength(EULER).unwrap();
                assert_eq!(i64::from(steps_left(steps as u32, strength)), done, "{steps} {done}");
                let flow = Scheduler::FlowEuler;
                let strength = Schedule { steps, done, denoise: None }.strength(flow).unwrap();
                assert_eq!(i64::from(steps_left_with(flow, steps as u32, strength)), done, "{steps} {done}");
            }
        }
    }

    #[test]
    fn strengths_are_short() {
        let check = |steps, denoise, expected: (i64, f64)| {
            let schedule = schedule(steps, denoise).unwrap();
            assert_eq!((schedule.steps, schedule.strength(EULER).unwrap()), expected);
        };
        check(20, 1.0, (20, 1.0));
        check(12, 0.6, (20, 0.6));
        check(20, 0.6, (33, 0.61));
        check(20, 0.99999, (20, 0.99999_f64.ceil()));
        assert_eq!(schedule(20, 0.0), None);
        assert_eq!(schedule(0, 0.5), None);
        assert_eq!(schedule(20, f64::NAN), None);
        assert_eq!(schedule(1000, 1e-9), None);
    }
}
