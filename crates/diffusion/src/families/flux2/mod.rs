//! FLUX.2 klein: Qwen3 as the text encoder, a transformer, an autoencoder whose latents are normalised and taken in patches.
//!
//! Source: diffusers' `Flux2KleinPipeline` and its inpainting variant. Prompts have 512 tokens with their padding, which the
//! transformer attends to. Not here: FLUX.2-dev, and pictures as references of an edit.

use crate::families::detect::Kind;
use crate::families::family::Rows;
use crate::families::files::{INDEX, TEXT};
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_packed};
use crate::families::note::{Concerns, ModelNote};
use crate::families::parts::{self, Loader};
use crate::image::posterior::Posterior;
use crate::models::flux2::{Config, Flux2Transformer};
use crate::models::vae::{self, Vae};
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::chat_tokenizer::ChatTokenizer;
use crate::text::cut::FindCut;
use crate::text::encode::PromptEncoder;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::error::TextError;
use crate::text::qwen::{self, Qwen};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{D, Result, Tensor};

/// The tokens of a prompt with its padding.
const TOKENS: usize = 512;
/// The states of Qwen3 that are used together (`text_encoder_out_layers` of the pipeline).
const STATES: [usize; 3] = [9, 18, 27];
/// What the assistant's turn begins with: its thoughts are empty.
const NO_THOUGHTS: &str = "<think>\n\n</think>\n\n";
/// Latent pixels of the autoencoder in a patch, in each direction.
const PATCH: usize = 2;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;

/// A loaded model of FLUX.2 klein.
pub(crate) type Flux2 = FlowModel<Flux2Parts>;

/// What distinguishes FLUX.2 klein from other families.
pub(crate) struct Flux2Parts;

/// The text encoder with its tokenizer.
pub(crate) struct ChatText {
    tokenizer: ChatTokenizer,
    encoder: Qwen,
}

/// What the distilled models are made for, as their cards on the hub say.
const DISTILLED: (Option<u32>, Option<f64>) = (Some(4), Some(1.0));
/// The default of the pipeline for the others (`Flux2KleinPipeline.__call__`); that of steps is the table's.
const BASE: (Option<u32>, Option<f64>) = (None, Some(4.0));

/// Whether the model is distilled, so that guidance has no effect.
fn is_distilled(source: &ModelSource) -> Loaded<bool> {
    if source.has(INDEX) { ConfigFile::open(source, INDEX)?.flag("is_distilled", false) } else { Ok(false) }
}

/// Notes on a model.
pub(super) fn notes(source: &ModelSource) -> Loaded<Vec<ModelNote>> {
    // A note on a single file says how it is known.
    let how = if source.transformer_file().is_some() { "" } else { ", as its model_index.json says" };
    let text = format!("`guidance_scale` has no effect: the model is distilled{how}");
    let note = ModelNote { text, concerns: Concerns::With("guidance_scale") };
    let all = [note, ModelNote::of_negative_prompt()];
    Ok(if is_distilled(source)? { all.into() } else { Vec::new() })
}

/// What the text encoder ignores of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizer = tokenizer(source, &ConfigFile::open(source, TEXT.config)?)?;
    Ok(Box::new(move |text| Ok(tokenizer.encode(text, NO_THOUGHTS)?.cut)))
}

fn tokenizer(source: &ModelSource, config: &ConfigFile) -> Loaded<ChatTokenizer> {
    ChatTokenizer::load(source, TEXT.tokenizer, qwen::vocabulary_size(config)?, TOKENS)
}

impl PromptEncoder for ChatText {
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizer.encode(prompt, NO_THOUGHTS)?;
        tokens.cut.iter().for_each(|cut| warn(cut.warning()));
        let real = tokens.ids.len();
        let mut ids = tokens.ids;
        ids.resize(TOKENS, self.tokenizer.padding());
        let states = self.encoder.padded_states(&ids, real, &STATES)?;
        Ok(EncodedPrompt { sequence: Tensor::cat(&states, D::Minus1)?, pooled: None })
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for Flux2Parts {
    type Text = ChatText;
    type Transformer = Flux2Transformer;

    const KIND: Kind = Kind::Flux2;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Empirical };
    const PACKED: usize = PATCH;
    const VAES: &'static [&'static str] = &[vae::FLUX2];

    fn patch(_: &ConfigFile) -> Loaded<usize> {
        Ok(PATCH)
    }

    fn size(_: &ConfigFile, _: usize) -> Loaded<usize> {
        Ok(SIZE)
    }

    fn texts(_: &ModelSource) -> Vec<ReadPart> {
        vec![(&TEXT, |_| false)]
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_packed(file, config.channels, vae)?;
        let width = STATES.len() * qwen::width(&ConfigFile::open(source, TEXT.config)?)?;
        if config.text_width != width {
            let supported = format!("{width}, three times the text encoder's hidden_size");
            return Err(file.refuse("joint_attention_dim", supported));
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<ChatText> {
        let config = loader.config(TEXT.config)?;
        let layers = STATES[STATES.len() - 1];
        let encoder = loader.qwen(&config, layers)?;
        let tokenizer = tokenizer(loader.source(), &config)?;
        Ok(ChatText { tokenizer, encoder })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<Flux2Transformer> {
        Flux2Transformer::load(file, weights)
    }

    fn is_distilled(source: &ModelSource) -> Loaded<bool> {
        is_distilled(source)
    }

    fn defaults(source: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok(if is_distilled(source)? { DISTILLED } else { BASE })
    }

    fn predict(transformer: &Flux2Transformer, rows: &Rows) -> Result<Tensor> {
        transformer.forward(&rows.latents, &rows.timesteps, &rows.sequences()?)
    }

    /// The latents are the mean of the autoencoder's distribution, in patches, normalised by channel.
    fn encode(vae: &Vae, pixels: &Tensor) -> Result<Posterior> {
        let Posterior { mean, .. } = parts::encode(vae, pixels)?;
        let (rows, channels, height, width) = mean.dims4()?;
        let patches = mean.reshape(&[rows, channels, height / PATCH, PATCH, width / PATCH, PATCH][..])?;
        let patches = patches.permute([0, 1, 3, 5, 2, 4])?.contiguous()?;
        let patches = patches.reshape((rows, channels * PATCH * PATCH, height / PATCH, width / PATCH))?;
        let mean = match &vae.statistics {
            Some([mean, deviation]) => patches.broadcast_sub(mean)?.broadcast_div(deviation)?,
            None => patches,
        };
        Ok(Posterior { mean, logvar: None, scaling_factor: 1.0, shift_factor: 0.0 })
    }

    fn decode(vae: &Vae, latents: &Tensor) -> Result<Tensor> {
        let patches = match &vae.statistics {
            Some([mean, deviation]) => latents.broadcast_mul(deviation)?.broadcast_add(mean)?,
            None => latents.clone(),
        };
        let (rows, channels, height, width) = patches.dims4()?;
        let channels = channels / PATCH / PATCH;
        let latents = patches.reshape(&[rows, channels, PATCH, PATCH, height, width][..])?;
        let latents = latents.permute([0, 1, 4, 2, 5, 3])?.contiguous()?;
        vae.decode(&latents.reshape((rows, channels, height * PATCH, width * PATCH))?)
    }
}

#[cfg(test)]
mod tests;
