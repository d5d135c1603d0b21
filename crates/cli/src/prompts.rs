//! What the models of a plan make of its prompts, as text: only where there is something to say.

use crate::models;
use crate::output::with_causes;
use maquette_core::{CellId, Embedding, Plan, SettingError, Settings};
use maquette_diffusion::{
    Cut, Inversions, ModelError, ModelSource, ReadChunk, Reading, RenderError, Tokenizer, inversions,
    read_prompt, tokenizer,
};
use maquette_planner::{PlannedPrompt, prompts};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// How many different prompts are read.
const READ: usize = 10_000;

/// How many are shown.
const SHOWN: usize = 8;

/// The prompts of the distinct cells that are cut, have several chunks, or hold signs that may not mean what they
/// should; empty when there are none. Model folders are found from `base`.
pub fn notes(plan: &Plan, distinct: &[(usize, CellId)], base: &Path) -> Result<String, SettingError> {
    let (prompts, more) = prompts(plan, distinct, READ)?;
    let mut readers = Readers::new();
    let (mut shown, mut found) = (String::new(), 0);
    for prompt in &prompts {
        let Settings { model, embeddings, .. } = &prompt.settings;
        let reader = readers.entry((model.clone(), embeddings.clone())).or_insert_with(|| {
            models::find(model, base).ok().map(|source| Reader::open(&source, embeddings))
        });
        let said = match reader {
            Some(Ok(reader)) => match reader.read(prompt) {
                Ok(reading) if !reading.is_plain() => lines(&reading),
                _ => continue,
            },
            Some(Err(error @ RenderError::Inversion(_))) => format!("  {}\n", with_causes(error)),
            // A model that cannot be read has been refused before; should it be gone now, rendering will say so.
            _ => continue,
        };
        found += 1;
        if found <= SHOWN {
            shown += &format!("{} `{}`\n{said}", prompt.setting, shortened(prompt.text()));
        }
    }
    if found > SHOWN {
        shown += &format!("… and {} more prompts to look at\n", found - SHOWN);
    }
    if more {
        shown += &format!("only the first {READ} different prompts were read\n");
    }
    Ok(if shown.is_empty() { shown } else { shown + "\n" })
}

/// Readers by model and textual inversions; `None` for a model that is nowhere.
type Readers = HashMap<(Arc<str>, Vec<Embedding>), Option<Result<Reader, RenderError>>>;

/// What reads prompts for a model, with the words of textual inversions.
struct Reader {
    tokenizer: Tokenizer,
    inversions: Inversions,
}

impl Reader {
    fn open(source: &ModelSource, embeddings: &[Embedding]) -> Result<Reader, RenderError> {
        let tokenizer = tokenizer(source)?;
        let inversions = inversions(source, &tokenizer, embeddings)?;
        Ok(Reader { tokenizer, inversions })
    }

    fn read(&self, prompt: &PlannedPrompt) -> Result<Reading, ModelError> {
        let Settings { dialect, steps, .. } = prompt.settings;
        let negative = prompt.setting == "negative_prompt";
        read_prompt(&self.tokenizer, &self.inversions, dialect, prompt.text(), negative, steps as usize)
    }
}

fn lines(reading: &Reading) -> String {
    let mut text = String::new();
    if let Some(Cut { tokens, room, text: cut }) = &reading.cut {
        text += &format!("  {tokens} tokens, and {room} fit; without effect: `{}`\n", shortened(cut));
    }
    for chunks in &reading.long {
        text += &format!("  {} chunks:\n", chunks.len());
        for ReadChunk { tokens, text: words } in chunks {
            text += &format!("    {tokens:>3} tokens  `{}`\n", shortened(words));
        }
    }
    for oddity in &reading.oddities {
        text += &format!("  {oddity}\n");
    }
    text
}

/// The first and the last words of a text.
fn shortened(text: &str) -> String {
    const ENDS: usize = 36;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 2 * ENDS + 3 {
        return text;
    }
    let first: String = letters[..ENDS].iter().collect();
    let last: String = letters[letters.len() - ENDS..].iter().collect();
    // Whole words where there are any.
    let first = first.rsplit_once(' ').map_or(first.as_str(), |(words, _)| words);
    let last = last.split_once(' ').map_or(last.as_str(), |(_, words)| words);
    format!("{first} … {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_their_ends() {
        let check = |text: &str, expected: &str| assert_eq!(shortened(text), expected);
        check("a\n  short one", "a short one");
        check(
            "a portrait of a bearded man in the starry garden of monstera leaves, boats in the harbour, evening light",
            "a portrait of a bearded man in the … boats in the harbour, evening light",
        );
        check(&"ü".repeat(80), &format!("{0} … {0}", "ü".repeat(36)));
    }
}
