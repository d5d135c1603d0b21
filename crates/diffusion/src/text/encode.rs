//! A cell's prompts as embeddings, each computed once.
//!
//! Not here: how a prompt is read (`prompt/`), how a text of A1111's dialect is embedded (`embed.rs`), and which row of
//! which UNet call gets what (`conditioning.rs`).

use crate::cache::Cache;
use crate::families::stable_diffusion::Model;
use crate::sampler::error::RenderError;
use crate::text::conditioning;
use crate::text::conditioning::{Conditioning, Timeline};
use crate::text::dialect::{Part, compose, schedule};
use crate::text::embed::{embed, text_chunks};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::encoder::TextEncoder;
use crate::text::tokenizer::Tokenizer;
use crate::weights::lora;
use crate::weights::textual_inversion as inversion;
use crate::weights::textual_inversion::Inversions;
use maquette_core::{Dialect, Settings};

/// How many prompts are remembered.
const PROMPTS: usize = 256;

/// What the embeddings of a prompt depend on, besides the model.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    dialect: Dialect,
    /// The texts that follow each other over the steps.
    texts: Vec<String>,
    clip_skip: u32,
    /// What of the LoRAs concerns the text encoder.
    loras: lora::Key,
    inversions: inversion::Key,
}

impl Key {
    fn new(
        dialect: Dialect,
        texts: Vec<String>,
        clip_skip: u32,
        model: &Model,
        inversions: &Inversions,
    ) -> Key {
        let (loras, inversions) = (model.text_loras().clone(), inversions.key());
        Key { dialect, texts, clip_skip, loras, inversions }
    }
}

/// The embeddings of prompts by one model.
pub(crate) struct Prompts {
    known: Cache<Key, Vec<EncodedPrompt>>,
}

impl Prompts {
    pub fn new() -> Prompts {
        Prompts { known: Cache::new(PROMPTS) }
    }

    /// What a cell's prompts tell its picture, with the words of textual inversions. Words that a prompt loses are added
    /// to `cut`.
    pub fn conditioning(
        &mut self,
        model: &Model,
        inversions: &Inversions,
        settings: &Settings,
        cut: &mut Vec<String>,
    ) -> Result<Conditioning, RenderError> {
        match settings.dialect {
            Dialect::Plain => self.plain(model, inversions, settings, cut),
            Dialect::A1111 => self.a1111(model, inversions, settings),
        }
    }

    fn plain(
        &mut self,
        model: &Model,
        inversions: &Inversions,
        settings: &Settings,
        cut: &mut Vec<String>,
    ) -> Result<Conditioning, RenderError> {
        let mut whole = |name: &str, prompt: &str, clip_skip: u32| {
            let key = Key::new(Dialect::Plain, vec![prompt.to_owned()], clip_skip, model, inversions);
            let embeddings = self.known.get_or_try(&key, || {
                let tokens = model.tokenizer.encode_with(prompt, inversions)?;
                if let Some(words) = tokens.cut {
                    cut.push(format!(
                        "the {name} is longer than {} tokens; this part has no effect: `{words}`",
                        tokens.ids.len()
                    ));
                }
                let clip_skip = clip_skip as usize;
                let first = model.text_encoder.embed_with(&tokens.ids, inversions.vectors(0), clip_skip)?;
                let Some((tokenizer, text_encoder)) = &model.second else {
                    return Ok::<_, RenderError>(vec![first]);
                };
                let ids = tokenizer.encode_with(prompt, inversions)?.ids;
                Ok(vec![first.beside(text_encoder.embed_with(&ids, inversions.vectors(1), clip_skip)?)?])
            })?;
            Ok::<_, RenderError>(Timeline {
                stages: embeddings.into_iter().map(|embedding| (usize::MAX, embedding)).collect(),
            })
        };
        let positive = whole("prompt", &settings.prompt, settings.clip_skip)?;
        let negative = match &*settings.negative_prompt {
            _ if !settings.guided() => None,
            "" if model.zeros_for_empty_prompt => Some(positive.zeroed()?),
            // Diffusers skips layers for the prompt only.
            prompt => Some(whole("negative_prompt", prompt, 0)?),
        };
        Ok(Conditioning::new(vec![(positive, 1.0)], negative, None)?)
    }

    fn a1111(
        &mut self,
        model: &Model,
        inversions: &Inversions,
        settings: &Settings,
    ) -> Result<Conditioning, RenderError> {
        let steps = conditioning::steps(settings);
        // A1111 skips layers for both prompts.
        let mut timeline = |prompt: &str| {
            let (ends, texts): (Vec<usize>, Vec<String>) =
                schedule(prompt, steps).into_iter().map(|stage| (stage.until, stage.text)).unzip();
            let key = Key::new(Dialect::A1111, texts, settings.clip_skip, model, inversions);
            let embeddings = self
                .known
                .get_or_try(&key, || weighted(model, inversions, &key.texts, settings.clip_skip as usize))?;
            Ok::<_, RenderError>(Timeline { stages: ends.into_iter().zip(embeddings).collect() })
        };
        let mut positive = Vec::new();
        for Part { text, weight } in compose(&settings.prompt) {
            positive.push((timeline(&text)?, weight));
        }
        let (mut negative, mut empty) = (None, None);
        if settings.guided() {
            let mut none = timeline("")?;
            negative = Some(match &*settings.negative_prompt {
                "" if model.zeros_for_empty_prompt => none.zeroed()?,
                prompt => timeline(prompt)?,
            });
            empty = none.stages.pop().map(|(_, embedding)| embedding.sequence);
        }
        Ok(Conditioning::new(positive, negative, empty.as_ref())?)
    }
}

/// Embeddings of texts of A1111's dialect by every text encoder of the model, side by side.
fn weighted(
    model: &Model,
    inversions: &Inversions,
    texts: &[String],
    clip_skip: usize,
) -> Result<Vec<EncodedPrompt>, RenderError> {
    let sequences = |tokenizer: &Tokenizer, text_encoder: &TextEncoder, number: usize| {
        let vectors = inversions.vectors(number);
        embed(tokenizer, inversions, texts, |ids| Ok(text_encoder.encode_with(ids, vectors, clip_skip)?))
    };
    let alone = |sequence| EncodedPrompt { sequence, pooled: None };
    let first = sequences(&model.tokenizer, &model.text_encoder, 0)?.into_iter().map(alone);
    let Some((tokenizer, text_encoder)) = &model.second else { return Ok(first.collect()) };
    let second = sequences(tokenizer, text_encoder, 1)?;
    let both = first.zip(second).zip(texts).map(|((first, sequence), text)| {
        // The whole prompt's is the first chunk's, and has no weights.
        let (chunks, _) = text_chunks(tokenizer, inversions, text)?;
        let ids: Vec<u32> = chunks[0].ids().map(|(id, _)| id).collect();
        let pooled = text_encoder.embed_with(&tokenizer.framed(&ids), inversions.vectors(1), 0)?.pooled;
        Ok(first.beside(EncodedPrompt { sequence, pooled })?)
    });
    both.collect()
}
