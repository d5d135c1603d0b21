//! Counts the work in a plan, for `maquette plan`.

use crate::projection::project;
use maquette_core::{Cell, CellId, Lora, Plan, Selection, SettingError, Settings};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The work needed to render some cells, with nothing done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Pictures to make.
    pub pictures: usize,
    /// Different texts to encode, for each model with its LoRAs and embeddings, precision, dialect and `clip_skip`:
    /// prompts, and negative prompts where there is guidance.
    pub text_encodes: usize,
    /// Different reference pictures to encode, for each model, precision, size and fit.
    pub image_encodes: usize,
    /// Different models to load, for each precision.
    pub model_loads: usize,
    /// Calls of the UNet, counted for each picture; see [`maquette_core::unet_calls`].
    pub steps: usize,
}

/// Counts the work in the cells `left` of a plan: those of [`crate::distinct`] that are not done.
pub fn work(plan: &Plan, left: &[(usize, CellId)]) -> Result<Work, SettingError> {
    let left = CellSubset { plan, cells: left.iter().map(|(index, _)| *index).collect() };

    let mut loads = BTreeSet::new();
    for (cell, _) in left.parts(&["model", "dtype"])? {
        loads.insert((cell.settings.model, cell.settings.dtype));
    }
    let mut texts = BTreeSet::new();
    let mut named = vec![
        "model",
        "dtype",
        "lora",
        "embeddings",
        "clip_skip",
        "dialect",
        "prompt",
        "negative_prompt",
        "guidance_scale",
        "true_cfg_scale",
    ];
    // An interval may leave no step with guidance.
    if plan.has_guidance_intervals() {
        named.extend(["guidance_interval", "init_image", "scheduler", "steps", "strength"]);
    }
    for (cell, _) in left.parts(&named)? {
        let settings = &cell.settings;
        let loras: Vec<_> = settings.lora.iter().map(Lora::key).collect();
        let words: Vec<_> = settings.embeddings.iter().map(|it| (it.file.digest, it.word.clone())).collect();
        let text = |prompt: &Arc<str>| {
            let model = (settings.model.clone(), settings.dtype, loras.clone(), words.clone());
            (model, settings.clip_skip, settings.dialect, prompt.clone())
        };
        texts.insert(text(&settings.prompt));
        if plan.guided(settings) {
            texts.insert(text(&settings.negative_prompt));
        }
    }
    let mut images = BTreeSet::new();
    for (cell, _) in left.parts(&["model", "dtype", "init_image", "fit", "width", "height"])? {
        let Settings { model, dtype, init_image, fit, width, height, .. } = cell.settings;
        images.extend(init_image.map(|picture| (model, dtype, picture.digest, fit, width, height)));
    }
    let mut steps = 0;
    for (cell, count) in left.parts(&["model", "init_image", "scheduler", "steps", "strength"])? {
        steps += count * cell.settings.unet_calls();
    }
    Ok(Work {
        pictures: left.cells.len(),
        text_encodes: texts.len(),
        image_encodes: images.len(),
        model_loads: loads.len(),
        steps,
    })
}

/// One of these cells of a plan for each combination of values that decides about the settings `names`, and how many of
/// the cells it represents.
pub fn combinations(
    plan: &Plan,
    cells: &[(usize, CellId)],
    names: &[&str],
) -> Result<Vec<(Cell, usize)>, SettingError> {
    CellSubset { plan, cells: cells.iter().map(|(index, _)| *index).collect() }.parts(names)
}

/// Some cells of a plan.
pub(crate) struct CellSubset<'a> {
    pub plan: &'a Plan,
    /// Their numbers in the plan.
    pub cells: Vec<usize>,
}

impl CellSubset<'_> {
    /// One cell for each combination of the axes on which these settings depend, and how many cells it represents.
    pub fn parts(&self, names: &[&str]) -> Result<Vec<(Cell, usize)>, SettingError> {
        let plan = self.plan;
        let axes = plan.axes_of(names.iter().flat_map(|name| plan.decided_by(name)));
        let sizes: Vec<usize> = plan.axes.iter().map(|axis| axis.values.len()).collect();
        let position = |index: usize| match &plan.kept {
            Selection::All => index,
            Selection::Only(positions) => positions[index] as usize,
        };
        let parts = project(&sizes, &axes, self.cells.iter().map(|&index| position(index)));
        let cell = |position: usize| match &plan.kept {
            Selection::All => plan.cell(position),
            Selection::Only(positions) => {
                plan.cell(positions.partition_point(|&at| (at as usize) < position))
            }
        };
        parts.into_par_iter().map(|part| Ok((cell(part.position)?, part.count))).collect()
    }
}
