//! Which of a picture's steps follow a ControlNet, and whether an IP-Adapter has an effect.

use crate::Settings;
use crate::kind::Effect;
use std::ops::Range;

impl Settings {
    /// The UNet calls that follow the ControlNet; empty without one and at scale 0.
    pub fn control_calls(&self) -> Range<usize> {
        let (Some(_), Some(_)) = (&self.controlnet, &self.control_image) else { return 0..0 };
        if self.controlnet_conditioning_scale == Some(0.0) {
            return 0..0;
        }
        let (start, end) = (self.control_guidance_start, self.control_guidance_end);
        calls_between(start.unwrap_or(0.0), end.unwrap_or(1.0), self.unet_calls())
    }

    /// Whether the picture of an IP-Adapter has an effect.
    pub fn shows_image(&self) -> bool {
        self.ip_adapter.is_some() && self.ip_adapter_image.is_some() && self.ip_adapter_scale != Some(0.0)
    }

    /// This effect, if the picture of an IP-Adapter has one.
    pub(crate) fn if_image_shown(&self, effect: Effect) -> Effect {
        if self.shows_image() { effect } else { Effect::None }
    }

    /// This effect, if any call follows the ControlNet.
    pub(crate) fn if_controlled(&self, effect: Effect) -> Effect {
        if self.control_calls().is_empty() { Effect::None } else { effect }
    }

    /// Why different `control_guidance_start` or `control_guidance_end` make no difference.
    pub(crate) fn control_text(&self) -> String {
        let steps = if self.control_calls().is_empty() { "no step" } else { "the same steps" };
        format!("let the ControlNet act on {steps}")
    }
}

/// The calls, out of `calls`, that lie wholly between two fractions of them; the quotients in f64.
///
/// Source: `controlnet_keep` of diffusers' `StableDiffusionControlNetPipeline`.
fn calls_between(start: f64, end: f64, calls: usize) -> Range<usize> {
    let fraction = |call: usize| call as f64 / calls as f64;
    let first = (0..calls).find(|&call| fraction(call) >= start).unwrap_or(calls);
    let last = (0..calls).rfind(|&call| fraction(call + 1) <= end);
    first..last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_those_of_diffusers() {
        let check = |start: f64, end: f64, calls: usize, expected: Range<usize>| {
            // `controlnet_keep` itself.
            let kept = |i: usize| {
                let n = calls as f64;
                !(i as f64 / n < start || (i + 1) as f64 / n > end)
            };
            let found = calls_between(start, end, calls);
            assert_eq!(found, expected, "{start} to {end} of {calls}");
            assert!((0..calls).all(|i| kept(i) == found.contains(&i)), "{start} to {end} of {calls}");
        };
        check(0.0, 1.0, 20, 0..20);
        check(0.2, 0.8, 20, 4..16);
        check(0.21, 0.79, 20, 5..15);
        check(0.3, 1.0, 7, 3..7);
        check(1.0, 1.0, 4, 4..4);
        check(0.0, 0.1, 4, 0..0);
        check(0.0, 1.0, 0, 0..0);
        assert!(calls_between(0.8, 0.2, 10).is_empty());
    }
}
