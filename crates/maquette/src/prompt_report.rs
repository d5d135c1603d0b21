//! How the models of a plan read its prompts, for those prompts that need a note.

use crate::assets::models;
use crate::error::with_causes;
use crate::training::is_untrained;
use maquette_core::{CellId, Dialect, Digest, Embedding, Lora, Plan, SettingError, Settings};
use maquette_diffusion::{
    ModelError, PromptReader, PromptReport, RenderError, lora_has_embeddings, prompt_reader, read_prompt,
};
use maquette_hub::Environment;
use maquette_planner::{PlannedPrompt, prompts};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The most distinct prompts that are read.
pub const MOST_PROMPTS: usize = 10_000;

/// Notes on the prompts of a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptNotes {
    /// The prompts with notes, in the plan's order.
    pub notes: Vec<PromptNote>,
    /// Whether there are more than [`MOST_PROMPTS`] distinct prompts, so that some were not read.
    pub more: bool,
}

/// Notes on one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptNote {
    /// `prompt` or `negative_prompt`.
    pub setting: &'static str,
    /// The prompt.
    pub text: String,
    /// How the model reads it, or why its textual inversions cannot be used.
    pub reading: Result<PromptReport, String>,
}

/// Reads the prompts of the distinct cells and returns those that are cut, have several chunks, or contain syntax that may
/// not mean what it should. The names of models are relative to the folder `base`.
pub(crate) fn prompt_notes(
    plan: &Plan,
    distinct: &[(usize, CellId)],
    base: &Path,
    hub: &Environment,
) -> Result<PromptNotes, SettingError> {
    let (prompts, more) = prompts(plan, distinct, MOST_PROMPTS)?;
    let mut readers = Readers::new();
    let mut has_embeddings: HashMap<Digest, bool> = HashMap::new();
    let mut notes = Vec::new();
    for prompt in &prompts {
        let Settings { model, dialect, lora, .. } = &prompt.settings;
        let mut embeddings = prompt.settings.embeddings.clone();
        // The file of a word that is still to be trained does not exist.
        embeddings.retain(|embedding| !is_untrained(plan, &embedding.file));
        // A sweep over LoRAs needs no reader for each, unless they have words.
        let mut loras: Vec<Lora> = lora.iter().filter(|lora| lora.is_active()).cloned().collect();
        loras.retain(|Lora { file, .. }| {
            *has_embeddings.entry(file.digest).or_insert_with(|| lora_has_embeddings(&file.file))
        });
        let files = loras.iter().map(|lora| lora.file.digest).collect();
        let reader =
            readers.entry((model.clone(), embeddings.clone(), *dialect, files)).or_insert_with(|| {
                let source = models::find(model, base, hub).ok()?;
                Some(prompt_reader(&source, &embeddings, *dialect, &loras))
            });
        let reading = match reader {
            Some(Ok(reader)) => match read(reader, prompt) {
                Ok(reading) if !reading.is_plain() => Ok(reading),
                _ => continue,
            },
            Some(Err(error @ RenderError::Inversion(_))) => Err(with_causes(error)),
            // The planner refuses models that cannot be read; if one is gone by now, rendering reports it.
            _ => continue,
        };
        notes.push(PromptNote { setting: prompt.setting, text: prompt.text().to_owned(), reading });
    }
    Ok(PromptNotes { notes, more })
}

/// What a reader depends on: model, textual inversions, dialect, and LoRAs that have textual inversions.
type ReaderKey = (Arc<str>, Vec<Embedding>, Dialect, Vec<Digest>);

/// Readers; `None` for a model that was not found.
type Readers = HashMap<ReaderKey, Option<Result<PromptReader, RenderError>>>;

fn read(reader: &PromptReader, prompt: &PlannedPrompt) -> Result<PromptReport, ModelError> {
    let Settings { dialect, steps, .. } = prompt.settings;
    let negative = prompt.setting == "negative_prompt";
    read_prompt(reader, dialect, prompt.text(), negative, steps as usize)
}
