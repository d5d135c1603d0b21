//! How a model reads a prompt, to be shown before anything is rendered: chunks, truncated words, and syntax that may be
//! a mistake.
//!
//! Needs the tokenizer, but no weights.

use crate::error::ModelError;
use crate::text::dialect::{compose, is_refused, oddities, schedule};
use crate::text::embed::text_chunks;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use maquette_core::Dialect;

/// How a prompt is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptReport {
    /// The chunks of each text that has several; for a prompt that changes over the steps, those of its longest text.
    pub long: Vec<Vec<ReadChunk>>,
    /// The words that have no effect.
    pub cut: Option<Cut>,
    /// What may be a mistake, a sentence each.
    pub oddities: Vec<String>,
}

/// One chunk of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadChunk {
    /// How many tokens it has, at most 75 in Stable Diffusion.
    pub tokens: usize,
    /// Its words.
    pub text: String,
}

/// Words beyond the text encoder's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// How many tokens the prompt has.
    pub tokens: usize,
    /// How many fit.
    pub room: usize,
    /// The text from the first word that does not fit.
    pub text: String,
}

impl PromptReport {
    /// Whether there is nothing to report.
    pub fn is_plain(&self) -> bool {
        *self == PromptReport::default()
    }
}

/// Reads a prompt as the engine would over `steps` steps, with the words of textual inversions; `negative`: it is a
/// negative prompt.
pub fn read_prompt(
    tokenizer: &Tokenizer,
    inversions: &Inversions,
    dialect: Dialect,
    prompt: &str,
    negative: bool,
    steps: usize,
) -> Result<PromptReport, ModelError> {
    let mut report = PromptReport::default();
    if dialect == Dialect::Plain {
        let tokens = tokenizer.words(prompt, inversions)?.iter().map(|word| word.ids.len()).sum();
        let cut = tokenizer.encode_with(prompt, inversions)?.cut;
        report.cut = cut.map(|text| Cut { tokens, room: tokenizer.room(), text });
        return Ok(report);
    }
    let parts = compose(prompt);
    let mut texts = vec![prompt.to_owned()];
    if negative {
        if parts.len() > 1 {
            report.oddities.push("`AND` is an ordinary word in a negative prompt".to_owned());
        }
    } else {
        if let [part] = parts.as_slice()
            && part.weight != 1.0
        {
            let weight = part.weight;
            report.oddities.push(format!("it ends with a number: the whole prompt has the weight {weight}"));
        }
        texts = parts.into_iter().map(|part| part.text).collect();
    }
    for text in texts {
        if is_refused(&text) {
            report.oddities.push(
                "it has a `|` outside brackets, or ends with `\\`: nothing in it changes over the steps"
                    .to_owned(),
            );
        }
        let mut longest: Vec<ReadChunk> = Vec::new();
        for stage in schedule(&text, steps) {
            for oddity in oddities(&stage.text) {
                if !report.oddities.contains(&oddity) {
                    report.oddities.push(oddity);
                }
            }
            let (chunks, bare) = text_chunks(tokenizer, inversions, &stage.text)?;
            if chunks.len() > longest.len() {
                let chunk = |chunk: &crate::text::dialect::Chunk| ReadChunk {
                    tokens: chunk.length(),
                    text: chunk.span().and_then(|span| bare.get(span)).unwrap_or_default().trim().to_owned(),
                };
                longest = chunks.iter().map(chunk).collect();
            }
        }
        if longest.len() > 1 {
            report.long.push(longest);
        }
    }
    Ok(report)
}
