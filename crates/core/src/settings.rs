//! Methods of [`Settings`] that combine several fields. The fields are defined in `table.rs`.

use crate::composition::compose;
use crate::kind::Effect;
use crate::{Dialect, ModelCard, SETTINGS, Setting, Settings, Value};
use std::ops::Range;

/// A second seed and the weight of its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// The seed.
    pub seed: u64,
    /// The weight of its noise, above 0 and up to 1.
    pub strength: f64,
}

impl Settings {
    /// Every setting that applies, with its value, in the order of [`SETTINGS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, Value)> {
        SETTINGS.iter().filter_map(|setting| Some((setting, self.get(setting.name)?)))
    }

    /// The second seed, if it affects the noise.
    pub fn variation(&self) -> Option<Variation> {
        Some(Variation { seed: self.variation_seed?, strength: self.variation_strength? })
    }

    /// Whether there is guidance, so that the negative prompt is used: in at least one UNet call.
    pub fn guided(&self) -> bool {
        self.guided_by(false)
    }

    /// The same for a model whose UNet may take the guidance scale as an input ([`crate::ModelCard::guidance_embedding`]).
    pub fn guided_by(&self, guidance_embedding: bool) -> bool {
        let scale = if self.interval_is_empty() { 1.0 } else { self.cfg_scale(guidance_embedding) };
        guided(scale, self.dialect, &self.prompt)
    }

    /// The scale of classifier-free guidance. With a `guidance_embedding`, `guidance_scale` is an input of the UNet instead.
    pub fn cfg_scale(&self, guidance_embedding: bool) -> f64 {
        if guidance_embedding { self.true_cfg_scale.unwrap_or(1.0) } else { self.guidance_scale }
    }

    /// The UNet calls that use the guidance scale; all others have a scale of 1.
    pub fn guided_calls(&self) -> Range<usize> {
        let calls = self.unet_calls();
        self.guidance_interval.map_or(0..calls, |interval| interval.calls(calls))
    }

    /// Whether `guidance_interval` leaves none of the UNet calls. A picture without any call is not meant: its name is older
    /// than intervals.
    pub(crate) fn interval_is_empty(&self) -> bool {
        self.unet_calls() > 0 && self.guided_calls().is_empty()
    }

    /// The work of all its UNet calls, in calls with all of its rows.
    ///
    /// Outside of `guidance_interval`, a call has one row of two; composed prompts keep theirs. A call that reuses deep features is
    /// a part of one.
    pub fn unet_work(&self, model: &ModelCard) -> f64 {
        let (calls, guided_calls) = (self.unet_calls(), self.guided_calls());
        let halved = self.has_unguided_rows(model.guidance_embedding);
        let Some(deepcache) = self.deepcache() else {
            return if halved { (calls + guided_calls.len()) as f64 / 2.0 } else { calls as f64 };
        };
        let work = |call: usize| {
            let rows = if halved && !guided_calls.contains(&call) { 0.5 } else { 1.0 };
            let whole = self.is_whole(call, model.guidance_embedding);
            if whole { rows } else { rows * deepcache.share(model.family) }
        };
        (0..calls).map(work).sum()
    }

    /// Whether calls have fewer rows outside of `guidance_interval` than in it: with guidance, unless prompts are composed.
    pub(crate) fn has_unguided_rows(&self, guidance_embedding: bool) -> bool {
        self.guided_by(guidance_embedding) && !guided(1.0, self.dialect, &self.prompt)
    }

    /// How the scale affects pixels of a model that embeds the other one: not at all where all prompts have one row.
    pub(crate) fn true_cfg_scale_effect(&self) -> Effect {
        match self.true_cfg_scale == Some(1.0) || !self.guided_by(true) {
            true => Effect::None,
            false => Effect::Value,
        }
    }

    /// How the interval affects pixels: by the calls that are guided.
    pub(crate) fn guidance_interval_effect(&self) -> Effect {
        let (guided, calls) = (self.guided_calls(), self.unet_calls());
        let all = guided == (0..calls);
        match all || guided.is_empty() || !self.guided() || self.guidance_scale == 1.0 {
            true => Effect::None,
            false => Effect::Calls(guided.start, guided.end),
        }
    }

    /// The number of UNet calls for the picture.
    pub fn unet_calls(&self) -> usize {
        crate::unet_calls(self.scheduler, self.steps, self.strength)
    }
}

/// Whether a picture is rendered with guidance: if the scale is above 1, as in diffusers, or if the prompt is composed of
/// weighted prompts in A1111's dialect, whose weights have no effect without guidance.
pub(crate) fn guided(guidance_scale: f64, dialect: Dialect, prompt: &str) -> bool {
    guidance_scale > 1.0
        || dialect == Dialect::A1111 && {
            let parts = compose(prompt);
            parts.len() > 1 || parts[0].weight != 1.0
        }
}

#[cfg(all(test, feature = "test-plans"))]
mod tests {
    use super::*;
    use crate::test_plans::{card, cell};

    #[test]
    fn calls_without_guidance_have_half_the_rows() {
        let check = |change: &dyn Fn(&mut Settings), guided_calls: Range<usize>, work: f64| {
            let mut settings = cell().settings;
            change(&mut settings);
            assert_eq!(settings.guided_calls(), guided_calls);
            let found = settings.unet_work(&card());
            assert!((found - work).abs() < 1e-9, "{found}, expected {work}");
        };
        let interval = |text: &str| text.parse().ok();
        check(&|_| (), 0..20, 20.0);
        check(&|s| s.guidance_interval = interval("0.2-0.7"), 4..14, 15.0);
        check(&|s| s.guidance_interval = interval("0.5-0.5"), 10..10, 20.0);
        check(&|s| (s.guidance_scale, s.guidance_interval) = (1.0, interval("0.2-0.7")), 4..14, 20.0);
        let composed = |s: &mut Settings| {
            (s.dialect, s.prompt) = (Dialect::A1111, "a cat AND a dog".into());
            s.guidance_interval = interval("0.2-0.7");
        };
        check(&composed, 4..14, 20.0);
        let mut untouched = cell().settings;
        (untouched.strength, untouched.guidance_interval) = (Some(0.0), interval("0-1"));
        assert!(untouched.guided() && !untouched.interval_is_empty());
        let mut embedding = cell().settings;
        embedding.guidance_interval = interval("0.2-0.7");
        let embeds = ModelCard { guidance_embedding: true, ..card() };
        assert_eq!(embedding.unet_work(&embeds), 20.0);
        // At branch 0, a share of Stable Diffusion's multiplications.
        check(&|s| s.deepcache_interval = Some(5), 0..20, 4.0 + 16.0 * 0.079);
        check(&|s| s.deepcache_interval = Some(1000), 0..20, 1.0 + 19.0 * 0.079);
        // Calls 2, 5, 10 and 15 are whole and have both rows, call 0 has one.
        let both = |s: &mut Settings| {
            (s.deepcache_interval, s.guidance_interval) = (Some(5), interval("0.1-1"));
        };
        check(&both, 2..20, 4.5 + 14.5 * 0.079);
    }
}
