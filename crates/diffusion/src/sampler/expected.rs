//! Announced cells whose prompts are encoded before the first picture is rendered.
//!
//! Not here: which families do that, and how many prompts have room.

use crate::text::conditioning;
use crate::weights::lora;
use maquette_core::{Cell, Settings};
use std::collections::HashSet;

/// The settings of cells, one for all that have the same prompts, in order.
pub(super) fn with_different_prompts(cells: &mut dyn Iterator<Item = Cell>) -> Vec<Settings> {
    let mut known = HashSet::new();
    let is_new = |settings: &Settings| {
        known.insert((
            (settings.model.clone(), settings.dtype, lora::key(&settings.lora)),
            (settings.prompt.clone(), settings.negative_prompt.clone(), settings.guided()),
            (settings.dialect, settings.clip_skip, conditioning::steps(settings)),
        ))
    };
    cells.map(|cell| cell.settings).filter(is_new).collect()
}
