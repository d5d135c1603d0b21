//! How a model reads a prompt, to be shown before anything is rendered: chunks, truncated words, and syntax that may be
//! a mistake.
//!
//! Needs the tokenizer, but no weights.

use crate::error::ModelError;
use crate::text::cut::{Cut, FindCut};
use crate::text::dialect::{compose, is_refused, oddities, schedule, without_weights};
use crate::text::embed::text_chunks;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use maquette_core::Dialect;

/// How a prompt is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptReport {
    /// The chunks of each text that has several; for a prompt that changes over the steps, those of its longest text.
    pub long: Vec<Vec<ReadChunk>>,
    /// The words that text encoders ignore.
    pub cuts: Vec<Cut>,
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

/// Reads prompts as a model does.
pub struct PromptReader {
    /// CLIP's part; `None` for a model whose text encoder is a language model.
    pub clip: Option<ClipReader>,
    /// What the other text encoder ignores; `None` for a model without one.
    pub(crate) other: Option<FindCut>,
}

/// Reads prompts as CLIP does.
pub struct ClipReader {
    /// CLIP's tokenizer.
    pub tokenizer: Tokenizer,
    /// The words of textual inversions.
    pub inversions: Inversions,
    /// Its name, if the model has another text encoder.
    pub(crate) by: Option<&'static str>,
}

impl PromptReport {
    /// Whether there is nothing to report.
    pub fn is_plain(&self) -> bool {
        *self == PromptReport::default()
    }
}

/// Reads a prompt as the engine would over `steps` steps; `negative`: it is a negative prompt.
pub fn read_prompt(
    reader: &PromptReader,
    dialect: Dialect,
    prompt: &str,
    negative: bool,
    steps: usize,
) -> Result<PromptReport, ModelError> {
    let mut report = PromptReport::default();
    if dialect == Dialect::Plain {
        if let Some(ClipReader { tokenizer, inversions, by }) = &reader.clip {
            report.cuts.extend(tokenizer.cut(prompt, inversions)?.map(|cut| Cut { by: *by, ..cut }));
        }
        if let Some(find_cut) = &reader.other {
            report.cuts.extend(find_cut(prompt)?);
        }
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
        let mut longest_cut: Option<Cut> = None;
        for stage in schedule(&text, steps) {
            for oddity in oddities(&stage.text) {
                if !report.oddities.contains(&oddity) {
                    report.oddities.push(oddity);
                }
            }
            if let Some(find_cut) = &reader.other
                && let Some(cut) = find_cut(&without_weights(&stage.text))?
                && longest_cut.as_ref().is_none_or(|known| known.tokens < cut.tokens)
            {
                longest_cut = Some(cut);
            }
            let Some(ClipReader { tokenizer, inversions, .. }) = &reader.clip else { continue };
            let (chunks, bare) = text_chunks(tokenizer, inversions, &stage.text)?;
            if chunks.len() > longest.len() {
                let chunk = |chunk: &crate::text::dialect::Chunk| ReadChunk {
                    tokens: chunk.length(),
                    text: chunk.span().and_then(|span| bare.get(span)).unwrap_or_default().trim().to_owned(),
                };
                longest = chunks.iter().map(chunk).collect();
            }
        }
        report.cuts.extend(longest_cut);
        if longest.len() > 1 {
            report.long.push(longest);
        }
    }
    Ok(report)
}
