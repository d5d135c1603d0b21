//! Inputs of a plan that no prompt uses: textual inversions whose word occurs nowhere, and LoRAs whose trigger words do not.

use crate::assets::models;
use crate::prompt_report::MOST_PROMPTS;
use maquette_core::{CellId, Plan, SettingError, WeightsKind};
use maquette_diffusion::{ClipReader, prompt_reader, trigger_words};
use maquette_hub::Environment;
use maquette_planner::prompts;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Notes on inputs that nothing uses, each a sentence without its full stop. The names of models are relative to the folder
/// `base`. There are none for plans with more than [`MOST_PROMPTS`] distinct prompts, of which not all are read.
pub(crate) fn unused_inputs(
    plan: &Plan,
    distinct: &[(usize, CellId)],
    base: &Path,
    hub: &Environment,
) -> Result<Vec<String>, SettingError> {
    let loras: Vec<(&str, Vec<String>)> = plan
        .weights
        .iter()
        .filter_map(|(key, found)| match WeightsKind::of_key(key)? {
            (WeightsKind::Lora, name) => Some((name, trigger_words(&found.file))),
            _ => None,
        })
        .filter(|(_, words)| !words.is_empty())
        .collect();
    if loras.is_empty() && plan.written("embeddings").next().is_none() {
        return Ok(Vec::new());
    }
    let (prompts, more) = prompts(plan, distinct, MOST_PROMPTS)?;
    if more {
        return Ok(Vec::new());
    }

    // The words of each list of textual inversions, and those that a prompt contains.
    let mut readers = HashMap::new();
    let mut words: BTreeMap<(String, String), bool> = BTreeMap::new();
    for prompt in prompts.iter().filter(|prompt| !prompt.settings.embeddings.is_empty()) {
        let settings = &prompt.settings;
        let key = (settings.model.clone(), settings.embeddings.clone(), settings.dialect);
        let reader = readers.entry(key).or_insert_with(|| {
            let source = models::find(&settings.model, base, hub).ok()?;
            prompt_reader(&source, &settings.embeddings, settings.dialect, &[]).ok()?.clip
        });
        // What cannot be read is reported with the prompts.
        let Some(ClipReader { tokenizer, inversions, .. }) = reader else { continue };
        let used = tokenizer.inversions_in(prompt.text(), inversions);
        for (word, file) in inversions.files() {
            *words.entry((word.to_owned(), file.to_owned())).or_default() |= used.contains(word);
        }
    }
    let unused = words.into_iter().filter(|(_, used)| !used).map(|((word, file), _)| {
        format!("the word `{word}` of the textual inversion {file} is in no prompt that uses it")
    });
    let mut notes: Vec<String> = unused.collect();

    let texts: BTreeSet<String> = prompts.iter().map(|prompt| prompt.text().to_lowercase()).collect();
    let is_there = |word: &String| texts.iter().any(|text| text.contains(&word.to_lowercase()));
    for (name, words) in loras {
        let missing: Vec<String> =
            words.iter().filter(|word| !is_there(word)).map(|word| format!("`{word}`")).collect();
        if !missing.is_empty() {
            notes.push(format!(
                "no prompt has {}, with which the LoRA {name} was trained, as its header says",
                missing.join(", ")
            ));
        }
    }
    Ok(notes)
}
