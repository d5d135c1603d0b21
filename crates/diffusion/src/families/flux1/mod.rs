//! FLUX.1 schnell and dev: CLIP's pooled embedding and T5's states, a transformer, an autoencoder with 16 channels.
//!
//! Source: diffusers' `FluxPipeline` and its image-to-image and inpainting variants. Both models are distilled: a picture has one
//! row, unless `true_cfg_scale` asks for a second one. The guidance scale is an input of dev's, and has no effect on schnell's. Not
//! here: models for filling, control and references.

use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::family::Rows;
use crate::families::files::{TEXT, TEXT_2};
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_packed};
use crate::families::note::{Concerns, ModelNote};
use crate::families::parts::{Loader, t5_tokenizer};
use crate::models::flux1::{Conditioned, Config, Flux1Transformer, Inputs, PATCH};
use crate::models::vae;
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::cut::FindCut;
use crate::text::dialect::without_weights;
use crate::text::encode::{ClipText, PromptEncoder};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::encoder::{self, TextEncoder};
use crate::text::error::TextError;
use crate::text::inversions::Inversions;
use crate::text::sentence_tokenizer::SentenceTokenizer;
use crate::text::t5::{self, T5};
use crate::text::tokenizer::Tokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::single_file::is_spare_in_text_encoder;
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};

/// T5's tokens for dev (`max_sequence_length` of the pipeline), and for schnell, which was trained with half of them.
const TOKENS: usize = 512;
const TOKENS_OF_SCHNELL: usize = 256;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;

/// A loaded model of FLUX.1.
pub(crate) type Flux1 = FlowModel<Flux1Parts>;

/// What distinguishes FLUX.1 from other families.
pub(crate) struct Flux1Parts;

/// The text encoders with their tokenizers.
pub(crate) struct TwoEncoders {
    clip: (Tokenizer, TextEncoder),
    t5: (SentenceTokenizer, T5),
    /// None, for CLIP's tokenizer.
    inversions: Inversions,
}

/// What schnell is made for, as its card on the hub says.
const SCHNELL: (Option<u32>, Option<f64>) = (Some(4), Some(1.0));
/// The default of the pipeline for dev (`FluxPipeline.__call__`).
const DEV: (Option<u32>, Option<f64>) = (None, Some(3.5));

/// Whether it is dev, which takes the guidance scale as an input, and not schnell.
fn embeds_guidance(source: &ModelSource) -> Loaded<bool> {
    Ok(Config::read(&ConfigFile::open(source, TRANSFORMER_CONFIG)?)?.embeds_guidance())
}

/// Notes on a model.
pub(super) fn notes(source: &ModelSource) -> Loaded<Vec<ModelNote>> {
    let mut notes = vec![ModelNote::of_negative_prompt()];
    if embeds_guidance(source)? {
        return Ok(notes);
    }
    let text =
        "`guidance_scale` has no effect: the model is distilled, as FLUX.1 schnell is, and does not take it";
    notes.push(ModelNote { text: text.to_owned(), concerns: Concerns::With("guidance_scale") });
    Ok(notes)
}

/// What T5 ignores of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizer = t5_tokenizer(source, &TEXT_2, tokens(embeds_guidance(source)?))?;
    Ok(Box::new(move |text| tokenizer.cut(text)))
}

/// The tokens of T5.
fn tokens(embeds_guidance: bool) -> usize {
    if embeds_guidance { TOKENS } else { TOKENS_OF_SCHNELL }
}

impl TwoEncoders {
    fn clip_text(&self) -> ClipText<'_> {
        let (tokenizer, text_encoder) = &self.clip;
        ClipText { tokenizer, text_encoder, inversions: &self.inversions, number: 0 }
    }

    fn states(&self, text: &str) -> std::result::Result<Tensor, TextError> {
        let (tokenizer, t5) = &self.t5;
        Ok(t5.encode(&tokenizer.encode(text)?)?)
    }
}

impl PromptEncoder for TwoEncoders {
    /// CLIP cuts off what is longer than its 77 tokens, for the pooled embedding alone.
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        self.t5.0.cut(prompt)?.iter().for_each(|cut| warn(cut.warning()));
        let pooled = self.clip_text().whole(prompt, 0)?.pooled;
        Ok(EncodedPrompt { sequence: self.states(prompt)?, pooled })
    }

    /// Weights have no effect.
    fn weighted(&self, texts: &[String], _: usize) -> std::result::Result<Vec<EncodedPrompt>, TextError> {
        let all = texts.iter().map(|text| {
            let pooled = self.clip_text().pooled(text)?;
            Ok(EncodedPrompt { sequence: self.states(&without_weights(text))?, pooled })
        });
        all.collect()
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for Flux1Parts {
    type Text = TwoEncoders;
    type Transformer = Flux1Transformer;

    const KIND: Kind = Kind::Flux1;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };

    fn patch(_: &ConfigFile) -> Loaded<usize> {
        Ok(PATCH)
    }

    fn size(_: &ConfigFile, _: usize) -> Loaded<usize> {
        Ok(SIZE)
    }

    fn texts(_: &ModelSource) -> Vec<ReadPart> {
        vec![(&TEXT, is_spare_in_text_encoder), (&TEXT_2, t5::is_spare)]
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_packed(file, config.channels, vae)?;
        let pooled = encoder::width(&ConfigFile::open(source, TEXT.config)?)?;
        if let Conditioned::ByEmbeddings { pooled_width, .. } = config.conditioned
            && pooled_width != pooled
        {
            return Err(file.refuse("pooled_projection_dim", format!("{pooled}, text_encoder's hidden_size")));
        }
        let width = t5::width(&ConfigFile::open(source, TEXT_2.config)?)?;
        if config.text_width != width {
            return Err(file.refuse("joint_attention_dim", format!("{width}, text_encoder_2's d_model")));
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<TwoEncoders> {
        let tokens = tokens(embeds_guidance(loader.source())?);
        Ok(TwoEncoders {
            clip: loader.text(&TEXT, TextEncoder::load_pooled)?,
            t5: loader.t5(&TEXT_2, tokens)?,
            inversions: Inversions::default(),
        })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<Flux1Transformer> {
        Flux1Transformer::load(file, weights)
    }

    fn is_distilled(_: &ModelSource) -> Loaded<bool> {
        Ok(true)
    }

    fn defaults(source: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok(if embeds_guidance(source)? { DEV } else { SCHNELL })
    }

    fn predict(transformer: &Flux1Transformer, rows: &Rows) -> Result<Tensor> {
        let pooled: Vec<&Tensor> = rows.prompts.iter().filter_map(|prompt| prompt.pooled.as_ref()).collect();
        let inputs = Inputs {
            latents: &rows.latents,
            timesteps: &rows.timesteps,
            guidance_scales: &rows.guidance_scales,
            text: &rows.sequences()?,
            pooled: Some(&Tensor::cat(&pooled, 0)?.unsqueeze(1)?),
        };
        Ok(transformer.forward(&[inputs])?.remove(0))
    }
}

#[cfg(test)]
mod tests;
