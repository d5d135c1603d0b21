//! DeepCache: which of a picture's UNet calls reuse deep features of an earlier one, and the work that is left.
//!
//! Ma et al., arXiv 2312.00858, with uniform intervals.

use crate::kind::Effect;
use crate::{ModelFamily, Settings};

/// How a picture's UNet calls reuse deep features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeepCache {
    /// Every call whose number is a multiple of it computes the whole UNet; at least 2.
    pub interval: u32,
    /// The skip connection up to which the other calls compute it, counted from 0.
    pub branch_id: u32,
}

/// The shares of the UNet's multiplications up to each branch, of Stable Diffusion 1.5 at 512 pixels and of SDXL at 1024:
/// counted by torch's `FlopCounterMode` in the calls that the package DeepCache shortens.
const STABLE_DIFFUSION: [f64; 12] =
    [0.079, 0.224, 0.380, 0.470, 0.564, 0.673, 0.760, 0.848, 0.941, 0.960, 0.973, 0.985];
const SDXL: [f64; 9] = [0.015, 0.038, 0.066, 0.129, 0.214, 0.306, 0.437, 0.659, 0.882];

impl DeepCache {
    /// About the share of the UNet that a call computes which reuses deep features. Used for estimates only.
    pub(crate) fn share(self, family: ModelFamily) -> f64 {
        let shares = if family == ModelFamily::Sdxl { &SDXL[..] } else { &STABLE_DIFFUSION[..] };
        shares.get(self.branch_id as usize).copied().unwrap_or(1.0)
    }
}

impl Settings {
    /// How deep features are reused; `None` if every call computes the whole UNet.
    pub fn deepcache(&self) -> Option<DeepCache> {
        let interval = self.deepcache_interval.unwrap_or(1);
        (interval > 1 && self.unet_calls() > 1)
            .then(|| DeepCache { interval, branch_id: self.deepcache_branch_id.unwrap_or(0) })
    }

    /// The call at which guidance adds a row, so that it computes the whole UNet: there are no features for the negative
    /// prompt before. `None` if no call after the first one does.
    fn guidance_begins(&self, guidance_embedding: bool) -> Option<usize> {
        let (guided, calls) = (self.guided_calls(), self.unet_calls());
        (self.has_unguided_rows(guidance_embedding) && (1..calls).contains(&guided.start))
            .then_some(guided.start)
    }

    /// Whether a call computes the whole UNet.
    pub(crate) fn is_whole(&self, call: usize, guidance_embedding: bool) -> bool {
        let Some(DeepCache { interval, .. }) = self.deepcache() else { return true };
        call.is_multiple_of(interval as usize) || self.guidance_begins(guidance_embedding) == Some(call)
    }

    /// How the interval affects pixels: by the calls that are whole.
    pub(crate) fn deepcache_interval_effect(&self) -> Effect {
        match self.named_deepcache_interval() {
            1 => Effect::None,
            interval => Effect::Number(interval as f64),
        }
    }

    /// The smallest interval with the same whole calls; 1 if all of them are.
    pub(crate) fn named_deepcache_interval(&self) -> usize {
        let Some(DeepCache { interval, .. }) = self.deepcache() else { return 1 };
        let calls = self.unet_calls();
        // Only the first call is a multiple of any larger one.
        let interval = (interval as usize).min(calls);
        // A smaller one has itself among its whole calls, which is no multiple of this one: guidance begins there. Its next
        // multiple is the first of this one, or none of the calls, and there is no third.
        match self.guidance_begins(false) {
            Some(start) if interval == calls && 2 * start >= calls => start,
            Some(start) if interval == 2 * start && 3 * start >= calls => start,
            _ => interval,
        }
    }
}

#[cfg(all(test, feature = "test-plans"))]
mod tests {
    use super::*;
    use crate::test_plans::cell;

    fn settings(steps: u32, interval: u32, guided: &str) -> Settings {
        Settings {
            steps,
            deepcache_interval: Some(interval),
            deepcache_branch_id: (interval > 1).then_some(0),
            guidance_interval: guided.parse().ok(),
            ..cell().settings
        }
    }

    /// Intervals have the same name exactly if the same calls are whole.
    #[test]
    fn the_smallest_interval_represents_all_with_the_same_whole_calls() {
        let whole = |settings: &Settings| -> Vec<usize> {
            (0..settings.unet_calls()).filter(|&call| settings.is_whole(call, false)).collect()
        };
        for steps in 1..14 {
            for tenths in 0..10 {
                let guided = format!("0.{tenths}-1");
                for interval in 1..17 {
                    let own = settings(steps, interval, &guided);
                    let expected =
                        (1..=interval).find(|&other| whole(&settings(steps, other, &guided)) == whole(&own));
                    let found = own.named_deepcache_interval();
                    assert_eq!(Some(found as u32), expected, "{interval} of {steps}, guided from {guided}");
                }
            }
        }
    }

    #[test]
    fn deeper_branches_are_more_work() {
        for (family, branches) in [(ModelFamily::StableDiffusion, 12), (ModelFamily::Sdxl, 9)] {
            let share = |branch_id| DeepCache { interval: 2, branch_id }.share(family);
            assert!((0..branches).all(|branch| share(branch) < share(branch + 1)));
            assert_eq!(share(branches), 1.0);
        }
    }
}
