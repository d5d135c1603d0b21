//! Encodes a picture's prompts, with a cache.
//!
//! Not here: which text encoders a family has (`families/`), parsing prompts (`dialect/`), embedding texts of A1111's
//! dialect (`embed.rs`), and the embeddings of each row of a UNet call (`conditioning.rs`).

use crate::cache::Cache;
use crate::text::conditioning;
use crate::text::conditioning::{Conditioning, Timeline};
use crate::text::cut::Cut;
use crate::text::dialect::{Part, compose, schedule, without_weights};
use crate::text::embed::{embed, text_chunks};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::encoder::TextEncoder;
use crate::text::error::TextError;
use crate::text::inversions;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use crate::weights::lora;
use candle_core::Tensor;
use maquette_core::{Dialect, Settings};
use std::collections::HashMap;

/// How many prompts are cached.
const PROMPTS: usize = 256;

/// More than one picture's prompts: as many stay free when prompts are encoded ahead.
const OF_PICTURE: usize = 16;

/// The text encoders of a family.
pub(crate) trait PromptEncoder {
    /// Encodes a whole prompt as diffusers does. `warn` is called with a sentence if the prompt is truncated.
    fn prompt(
        &self,
        prompt: &str,
        clip_skip: usize,
        warn: &mut dyn FnMut(String),
    ) -> Result<EncodedPrompt, TextError>;

    /// Encodes consecutive texts of a prompt in A1111's dialect, all padded to the longest unless they keep their lengths. Weights have
    /// no effect where an encoder does not say otherwise.
    fn weighted(&self, texts: &[String], clip_skip: usize) -> Result<Vec<EncodedPrompt>, TextError> {
        texts.iter().map(|text| self.prompt(&without_weights(text), clip_skip, &mut |_| ())).collect()
    }

    /// Whether an empty negative prompt is encoded as zeros.
    fn zeros_for_empty_prompt(&self) -> bool {
        false
    }

    /// Whether prompts keep their lengths, instead of all being padded to that of the longest.
    fn has_own_lengths(&self) -> bool {
        false
    }
}

/// One CLIP text encoder with its tokenizer, and the textual inversions of a picture.
pub(crate) struct ClipText<'a> {
    pub tokenizer: &'a Tokenizer,
    pub text_encoder: &'a TextEncoder,
    pub inversions: &'a Inversions,
    /// Which of the model's text encoders it is, from 0.
    pub number: usize,
}

impl ClipText<'_> {
    /// What is ignored of a prompt that is too long.
    pub fn cut(&self, prompt: &str) -> Result<Option<Cut>, TextError> {
        Ok(self.tokenizer.cut(prompt, self.inversions)?)
    }

    /// The embeddings of a prompt, truncated if it is too long.
    pub fn whole(&self, prompt: &str, clip_skip: usize) -> Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizer.encode_with(prompt, self.inversions)?;
        let vectors = self.inversions.vectors(self.number);
        Ok(self.text_encoder.embed_with(&tokens.ids, vectors, clip_skip)?)
    }

    /// The embeddings of texts of A1111's dialect, `[1, tokens, width]` each, all padded to the longest.
    pub fn sequences(&self, texts: &[String], clip_skip: usize) -> Result<Vec<Tensor>, TextError> {
        let vectors = self.inversions.vectors(self.number);
        embed(self.tokenizer, self.inversions, texts, |ids| {
            self.text_encoder.encode_with(ids, vectors, clip_skip)
        })
    }

    /// The pooled embedding of a text: that of its first chunk, without weights and with all layers.
    pub fn pooled(&self, text: &str) -> Result<Option<Tensor>, TextError> {
        let (chunks, _) = text_chunks(self.tokenizer, self.inversions, text)?;
        let ids: Vec<u32> = chunks[0].ids().map(|(id, _)| id).collect();
        let vectors = self.inversions.vectors(self.number);
        Ok(self.text_encoder.embed_with(&self.tokenizer.framed(&ids), vectors, 0)?.pooled)
    }
}

/// The adapters on which the embeddings of a prompt depend.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Adapted {
    /// The LoRAs that change the text encoders.
    pub loras: lora::Key,
    pub inversions: inversions::Key,
}

/// What the embeddings of a prompt depend on, besides the model.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    dialect: Dialect,
    /// The consecutive texts over the steps.
    texts: Vec<String>,
    clip_skip: u32,
    adapted: Adapted,
}

/// The key of the warnings about a picture's prompts.
fn key_of(adapted: &Adapted, settings: &Settings) -> Key {
    let texts = vec![settings.prompt.to_string(), settings.negative_prompt.to_string()];
    Key { dialect: settings.dialect, texts, clip_skip: settings.clip_skip, adapted: adapted.clone() }
}

/// A cache of one model's prompt embeddings.
pub(crate) struct PromptCache {
    known: Cache<Key, Vec<EncodedPrompt>>,
    /// The warnings of prompts that were encoded before the picture that they belong to.
    warnings: HashMap<Key, Vec<String>>,
}

impl PromptCache {
    pub fn new() -> PromptCache {
        PromptCache { known: Cache::new(PROMPTS), warnings: HashMap::new() }
    }

    /// Encodes the prompts of a picture that comes later, whose warnings are kept for it.
    pub fn add(
        &mut self,
        encoder: &dyn PromptEncoder,
        adapted: &Adapted,
        settings: &Settings,
    ) -> Result<(), TextError> {
        let mut warnings = Vec::new();
        self.conditioning(encoder, adapted, settings, &mut warnings)?;
        if !warnings.is_empty() {
            self.warnings.insert(key_of(adapted, settings), warnings);
        }
        Ok(())
    }

    /// Whether one more picture's prompts fit without dropping others.
    pub fn has_room(&self) -> bool {
        self.known.len() + OF_PICTURE <= PROMPTS
    }

    /// Encodes the prompts of a picture. A sentence for each truncated prompt is added to `warnings`.
    pub fn conditioning(
        &mut self,
        encoder: &dyn PromptEncoder,
        adapted: &Adapted,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Conditioning, TextError> {
        if !self.warnings.is_empty() {
            warnings.extend(self.warnings.remove(&key_of(adapted, settings)).into_iter().flatten());
        }
        match settings.dialect {
            Dialect::Plain => self.plain(encoder, adapted, settings, warnings),
            Dialect::A1111 => self.a1111(encoder, adapted, settings),
        }
    }

    fn plain(
        &mut self,
        encoder: &dyn PromptEncoder,
        adapted: &Adapted,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Conditioning, TextError> {
        let mut whole = |name: &str, prompt: &str, clip_skip: u32| {
            let texts = vec![prompt.to_owned()];
            let key = Key { dialect: Dialect::Plain, texts, clip_skip, adapted: adapted.clone() };
            let embeddings = self.known.get_or_try(&key, || {
                let mut warn = |problem: String| warnings.push(format!("the {name} {problem}"));
                Ok::<_, TextError>(vec![encoder.prompt(prompt, clip_skip as usize, &mut warn)?])
            })?;
            Ok::<_, TextError>(Timeline {
                stages: embeddings.into_iter().map(|embedding| (usize::MAX, embedding)).collect(),
            })
        };
        let positive = whole("prompt", &settings.prompt, settings.clip_skip)?;
        let negative = match &*settings.negative_prompt {
            _ if !settings.guided() => None,
            "" if encoder.zeros_for_empty_prompt() => Some(positive.zeroed()?),
            // Diffusers skips layers for the prompt only.
            prompt => Some(whole("negative_prompt", prompt, 0)?),
        };
        if encoder.has_own_lengths() {
            return Ok(Conditioning::with_own_lengths(vec![(positive, 1.0)], negative));
        }
        Ok(Conditioning::new(vec![(positive, 1.0)], negative, None)?)
    }

    fn a1111(
        &mut self,
        encoder: &dyn PromptEncoder,
        adapted: &Adapted,
        settings: &Settings,
    ) -> Result<Conditioning, TextError> {
        let steps = conditioning::steps(settings);
        // A1111 skips layers for both prompts.
        let clip_skip = settings.clip_skip;
        let mut timeline = |prompt: &str| {
            let (ends, texts): (Vec<usize>, Vec<String>) =
                schedule(prompt, steps).into_iter().map(|stage| (stage.until, stage.text)).unzip();
            let key = Key { dialect: Dialect::A1111, texts, clip_skip, adapted: adapted.clone() };
            let embeddings =
                self.known.get_or_try(&key, || encoder.weighted(&key.texts, clip_skip as usize))?;
            Ok::<_, TextError>(Timeline { stages: ends.into_iter().zip(embeddings).collect() })
        };
        let mut positive = Vec::new();
        for Part { text, weight } in compose(&settings.prompt) {
            positive.push((timeline(&text)?, weight));
        }
        let (mut negative, mut empty) = (None, None);
        if settings.guided() {
            let mut none = timeline("")?;
            negative = Some(match &*settings.negative_prompt {
                "" if encoder.zeros_for_empty_prompt() => none.zeroed()?,
                prompt => timeline(prompt)?,
            });
            empty = none.stages.pop().map(|(_, embedding)| embedding.sequence);
        }
        if encoder.has_own_lengths() {
            return Ok(Conditioning::with_own_lengths(positive, negative));
        }
        Ok(Conditioning::new(positive, negative, empty.as_ref())?)
    }
}
