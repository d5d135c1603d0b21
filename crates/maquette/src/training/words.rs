//! Notes on the words of subjects: a word that the tokenizer splits or that means something already is hard to teach.

use crate::assets::models;
use maquette_core::{Plan, Training, TrainingMethod};
use maquette_diffusion::tokenizer;
use maquette_hub::Environment;
use std::path::Path;

/// Words in the first part of the vocabulary have a meaning that a subject would have to replace.
const COMMON: f64 = 0.9;

/// A sentence without its full stop for each word that a better one exists for. A model that cannot be read has none:
/// training reports it.
pub(crate) fn word_notes(plan: &Plan, base: &Path, hub: &Environment) -> Vec<String> {
    let notes = plan.trainings.iter().flat_map(|training| notes_on(training, base, hub).unwrap_or_default());
    let mut notes: Vec<String> = notes.collect();
    notes.dedup();
    notes
}

fn notes_on(training: &Training, base: &Path, hub: &Environment) -> Option<Vec<String>> {
    let source = models::find(&training.model, base, hub).ok()?;
    let tokenizer = tokenizer(&source).ok()?;
    let Training { word, class, subject, method, .. } = training;
    if *method == TrainingMethod::TextualInversion {
        // The word becomes a token of its own.
        return Some(Vec::new());
    }
    let own = word.split_whitespace().filter(|part| !class.split_whitespace().any(|known| known == *part));
    let own: Vec<&str> = own.collect();
    let tokens = tokenizer.count(&own.join(" ")).ok()?;
    let better = tokenizer
        .rare_word()
        .map_or_else(String::new, |rare| format!("; `{}` would be better", format!("{rare} {class}").trim()));
    Some(match own[..] {
        [] => vec![format!(
            "the word `{word}` of the subject `{subject}` is its class, so that every {class} would look like it{better}"
        )],
        [one] if tokens == 1 && tokenizer.rarity(one).is_some_and(|rarity| rarity < COMMON) => vec![format!(
            "`{one}` in the word of the subject `{subject}` means something to {} already{better}",
            training.model
        )],
        _ if tokens > own.len() => vec![format!(
            "{} splits `{}`, the word of the subject `{subject}`, into {tokens} tokens, which are harder to teach than one{better}",
            training.model,
            own.join(" ")
        )],
        _ => Vec::new(),
    })
}
