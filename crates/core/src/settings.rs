//! Methods of [`Settings`] that combine several fields. The fields are defined in `table.rs`.

use crate::composition::compose;
use crate::{Dialect, SETTINGS, Setting, Settings, Value};

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

    /// Whether there is guidance, so that the negative prompt is used.
    pub fn guided(&self) -> bool {
        guided(self.guidance_scale, self.dialect, &self.prompt)
    }

    /// The same for a model whose UNet takes the guidance scale as an input ([`crate::ModelCard::guidance_embedding`]):
    /// classifier-free guidance has a scale of 1 there, so only composed prompts are guided.
    pub fn guided_by(&self, guidance_embedding: bool) -> bool {
        guided(if guidance_embedding { 1.0 } else { self.guidance_scale }, self.dialect, &self.prompt)
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
