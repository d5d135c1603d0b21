//! Stable Diffusion 3 and 3.5: two CLIP text encoders and T5, a transformer, an autoencoder with 16 channels.
//!
//! Source: diffusers' `StableDiffusion3Pipeline` and its image-to-image and inpainting variants. T5 may be left out, as there:
//! its embeddings are then zeros. Not here: skip-layer guidance, textual inversions.

use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::family::Rows;
use crate::families::files::{TEXT, TEXT_2, TEXT_3};
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_channels};
use crate::families::note::{Concerns, ModelNote};
use crate::families::parts::{Loader, t5_tokenizer};
use crate::models::mmdit::{Config, Inputs, Mmdit};
use crate::models::vae;
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::cut::{Cut, FindCut};
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
use candle_core::{Device, Result, Tensor};

/// What a cut prompt's warnings call the first two text encoders.
pub(super) const CLIP: &str = "CLIP";
/// T5's tokens (`max_sequence_length` of the pipeline).
const TOKENS: usize = 256;

/// A loaded model of Stable Diffusion 3 or 3.5.
pub(crate) type StableDiffusion3 = FlowModel<StableDiffusion3Parts>;

/// What distinguishes Stable Diffusion 3 from other families.
pub(crate) struct StableDiffusion3Parts;

/// The text encoders with their tokenizers.
pub(crate) struct ThreeEncoders {
    clip: [(Tokenizer, TextEncoder); 2],
    t5: Option<(SentenceTokenizer, T5)>,
    /// None, for CLIP's tokenizers.
    inversions: Inversions,
    /// The width of T5's states, to which CLIP's are extended with zeros.
    width: usize,
    device: Device,
}

/// Notes on a model.
pub(super) fn notes(source: &ModelSource) -> Loaded<Vec<ModelNote>> {
    let config = Config::read(&ConfigFile::open(source, TRANSFORMER_CONFIG)?)?;
    // Stable Diffusion 3.5 Large. The published Turbo has the same configuration.
    let is_large = config.normalised && config.dual.is_empty();
    let notes = [
        (
            "guidance_scale",
            "7.5 unless it is set: Stable Diffusion 3.5 Large Turbo is made for 1, Large for about 4.5",
        ),
        ("steps", "50 unless it is set: Stable Diffusion 3.5 Large Turbo is made for 4, Large for 28 to 40"),
    ];
    let note = |(setting, text)| ModelNote {
        text: format!("`{setting}` is {text}; the model's files do not say which of the two it is"),
        concerns: Concerns::Without(setting),
    };
    Ok(notes.map(note).into_iter().filter(|_| is_large).collect())
}

/// What T5 ignores of a prompt; `None` for a model without T5.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<Option<FindCut>> {
    if !source.has(TEXT_3.config) {
        return Ok(None);
    }
    let tokenizer = t5_tokenizer(source, &TEXT_3, TOKENS)?;
    Ok(Some(Box::new(move |text| tokenizer.cut(text))))
}

impl ThreeEncoders {
    fn clip_text(&self, number: usize) -> ClipText<'_> {
        let (tokenizer, text_encoder) = &self.clip[number];
        ClipText { tokenizer, text_encoder, inversions: &self.inversions, number }
    }

    /// CLIP's states with those of T5 for a text behind them; the pooled embeddings of both.
    fn joined(
        &self,
        first: EncodedPrompt,
        second: EncodedPrompt,
        text: &str,
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let clip = Tensor::cat(&[first.sequence, second.sequence], 2)?;
        let dtype = clip.dtype();
        let missing = self.width.saturating_sub(clip.dim(2)?);
        let clip = clip.pad_with_zeros(2, 0, missing)?;
        let t5 = match &self.t5 {
            Some((tokenizer, t5)) => t5.encode(&tokenizer.encode(text)?)?.to_dtype(dtype)?,
            None => Tensor::zeros((1, TOKENS, self.width), dtype, &self.device)?,
        };
        let pooled: Vec<Tensor> = first.pooled.into_iter().chain(second.pooled).collect();
        let sequence = Tensor::cat(&[clip, t5], 1)?;
        Ok(EncodedPrompt { sequence, pooled: Some(Tensor::cat(&pooled, 1)?) })
    }
}

impl PromptEncoder for ThreeEncoders {
    fn prompt(
        &self,
        prompt: &str,
        clip_skip: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        // Both of CLIP's tokenizers have its vocabulary, so they truncate at the same place.
        let by = self.t5.as_ref().map(|_| CLIP);
        let by_clip = self.clip_text(0).cut(prompt)?.map(|cut| Cut { by, ..cut });
        let by_t5 = self.t5.as_ref().map(|(tokenizer, _)| tokenizer.cut(prompt)).transpose()?.flatten();
        by_clip.iter().chain(&by_t5).for_each(|cut| warn(cut.warning()));
        let first = self.clip_text(0).whole(prompt, clip_skip)?;
        let second = self.clip_text(1).whole(prompt, clip_skip)?;
        self.joined(first, second, prompt)
    }

    /// Weights have an effect on CLIP's states, not on T5's.
    fn weighted(
        &self,
        texts: &[String],
        clip_skip: usize,
    ) -> std::result::Result<Vec<EncodedPrompt>, TextError> {
        let first = self.clip_text(0).sequences(texts, clip_skip)?;
        let second = self.clip_text(1).sequences(texts, clip_skip)?;
        let all = first.into_iter().zip(second).zip(texts).map(|((first, second), text)| {
            let part = |sequence, number| {
                let pooled = self.clip_text(number).pooled(text)?;
                Ok::<_, TextError>(EncodedPrompt { sequence, pooled })
            };
            self.joined(part(first, 0)?, part(second, 1)?, &without_weights(text))
        });
        all.collect()
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for StableDiffusion3Parts {
    type Text = ThreeEncoders;
    type Transformer = Mmdit;

    const KIND: Kind = Kind::StableDiffusion3;
    const RULE: FlowRule = FlowRule { range: SigmaRange::OfTraining, mu: Mu::Line };

    fn patch(file: &ConfigFile) -> Loaded<usize> {
        Ok(Config::read(file)?.patch)
    }

    fn size(file: &ConfigFile, factor: usize) -> Loaded<usize> {
        Ok(Config::read(file)?.sample_size * factor)
    }

    fn positions(file: &ConfigFile) -> Loaded<Option<usize>> {
        Ok(Some(Config::read(file)?.positions))
    }

    fn texts(source: &ModelSource) -> Vec<ReadPart> {
        let mut texts: Vec<ReadPart> =
            vec![(&TEXT, is_spare_in_text_encoder), (&TEXT_2, is_spare_in_text_encoder)];
        if source.has(TEXT_3.config) {
            texts.push((&TEXT_3, t5::is_spare));
        }
        texts
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_channels(file, config.channels, vae)?;
        let mut pooled = 0;
        for part in [&TEXT, &TEXT_2] {
            pooled += encoder::pooled_width(&ConfigFile::open(source, part.config)?)?;
        }
        if config.pooled_width != pooled {
            let supported = format!("{pooled}, the sum of the text encoders' projection_dim");
            return Err(file.refuse("pooled_projection_dim", supported));
        }
        if source.has(TEXT_3.config) {
            let width = t5::width(&ConfigFile::open(source, TEXT_3.config)?)?;
            if config.text_width != width {
                let supported = format!("{width}, text_encoder_3's d_model");
                return Err(file.refuse("joint_attention_dim", supported));
            }
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<ThreeEncoders> {
        let clip = |part| loader.text(part, |file, weights| TextEncoder::load_for_xl(file, weights, true));
        Ok(ThreeEncoders {
            clip: [clip(&TEXT)?, clip(&TEXT_2)?],
            t5: match loader.source().has(TEXT_3.config) {
                true => Some(loader.t5(&TEXT_3, TOKENS)?),
                false => None,
            },
            inversions: Inversions::default(),
            width: Config::read(&loader.config(TRANSFORMER_CONFIG)?)?.text_width,
            device: loader.options.device.clone(),
        })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<Mmdit> {
        Mmdit::load(file, weights)
    }

    /// Prompts of different lengths, which A1111's dialect has, are computed in separate calls.
    fn predict(transformer: &Mmdit, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens,
            |groups| {
                let inputs = groups.iter().map(|group| {
                    let pooled: Vec<&Tensor> =
                        group.prompts.iter().filter_map(|prompt| prompt.pooled.as_ref()).collect();
                    Ok(Inputs {
                        latents: &group.latents,
                        timesteps: &group.timesteps,
                        text: group.sequences()?,
                        pooled: Tensor::cat(&pooled, 0)?.unsqueeze(1)?,
                    })
                });
                transformer.forward(&inputs.collect::<Result<Vec<_>>>()?)
            },
        )
    }
}

#[cfg(test)]
mod tests;
