//! The distinct prompts of a plan, so that they can be checked before anything is rendered.
//!
//! Not here: parsing and tokenizing prompts, which the engine does.

use crate::work::CellSubset;
use maquette_core::{CellId, Plan, SettingError, Settings};
use std::collections::HashSet;

/// A prompt that some cells of a plan have.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPrompt {
    /// `prompt` or `negative_prompt`.
    pub setting: &'static str,
    /// The settings of the first cell that has it.
    pub settings: Settings,
}

impl PlannedPrompt {
    /// The prompt itself.
    pub fn text(&self) -> &str {
        match self.setting {
            "prompt" => &self.settings.prompt,
            _ => &self.settings.negative_prompt,
        }
    }
}

/// The first `limit` different prompts of the plan's distinct cells, and whether there are more.
///
/// Prompts are different if they differ in text, model, dialect or embeddings, or if only one of them is a negative
/// prompt. Negative prompts of cells without guidance are left out.
pub fn prompts(
    plan: &Plan,
    distinct: &[(usize, CellId)],
    limit: usize,
) -> Result<(Vec<PlannedPrompt>, bool), SettingError> {
    let cells = CellSubset { plan, cells: distinct.iter().map(|(index, _)| *index).collect() };
    let named =
        ["model", "dialect", "embeddings", "prompt", "negative_prompt", "guidance_scale", "true_cfg_scale"];
    let mut seen = HashSet::new();
    let mut prompts = Vec::new();
    for (cell, _) in cells.parts(&named)? {
        let settings = &cell.settings;
        let negative = Some(("negative_prompt", &settings.negative_prompt));
        let negative = negative.filter(|_| plan.guided(settings));
        for (setting, text) in [("prompt", &settings.prompt)].into_iter().chain(negative) {
            let embeddings: Vec<_> =
                settings.embeddings.iter().map(|one| (one.word.clone(), one.file.digest)).collect();
            let key = (setting, text.clone(), settings.model.clone(), settings.dialect, embeddings);
            if !seen.insert(key) {
                continue;
            }
            if prompts.len() == limit {
                return Ok((prompts, true));
            }
            prompts.push(PlannedPrompt { setting, settings: settings.clone() });
        }
    }
    Ok((prompts, false))
}
