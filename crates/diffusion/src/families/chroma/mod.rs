//! Chroma: T5's states, FLUX.1's transformer with modulations from one network, an autoencoder with 16 channels.
//!
//! Source: diffusers' `ChromaPipeline` and its image-to-image and inpainting variants. The transformer attends to the tokens of the text
//! and one of padding, as in the code of its authors; the pipelines of diffusers 0.42.1 add their mask to the scores instead, which masks
//! nothing. Not here: IP-Adapters, Chroma1-Radiance.

use crate::families::detect::Kind;
use crate::families::family::Rows;
use crate::families::files::TEXT;
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_packed};
use crate::families::note::{Concerns, ModelNote};
use crate::families::parts::{Loader, t5_tokenizer};
use crate::models::flux1::{Config, Flux1Transformer, Inputs, PATCH};
use crate::models::vae;
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::cut::FindCut;
use crate::text::encode::PromptEncoder;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::error::TextError;
use crate::text::sentence_tokenizer::SentenceTokenizer;
use crate::text::t5::{self, T5};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};

/// The most tokens of a prompt (`max_sequence_length` of the pipeline).
const TOKENS: usize = 512;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;
/// The pipeline's steps and guidance scale (`ChromaPipeline.__call__`).
const DEFAULTS: (Option<u32>, Option<f64>) = (Some(35), Some(5.0));

/// A loaded model of Chroma.
pub(crate) type Chroma = FlowModel<ChromaParts>;

/// What distinguishes Chroma from other families.
pub(crate) struct ChromaParts;

/// The text encoder with its tokenizer.
pub(crate) struct T5Text {
    tokenizer: SentenceTokenizer,
    t5: T5,
}

/// Notes on every model of the family: the folders of Chroma1-HD and Chroma1-Flash say nothing about steps and guidance.
pub(super) fn notes() -> Vec<ModelNote> {
    let note =
        |setting, text: &str| ModelNote { text: text.to_owned(), concerns: Concerns::Without(setting) };
    vec![
        note(
            "guidance_scale",
            "`guidance_scale` is 5 unless it is set: Chroma1-Flash is made for 1; the model's files do not say which Chroma it is",
        ),
        note(
            "steps",
            "`steps` is 35 unless it is set: Chroma1-Flash is made for about 8; the model's files do not say which Chroma it is",
        ),
    ]
}

/// What T5 ignores of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizer = t5_tokenizer(source, &TEXT, TOKENS)?;
    Ok(Box::new(move |text| tokenizer.cut(text)))
}

impl PromptEncoder for T5Text {
    /// T5 does not attend to the token of padding, whose state the transformer attends to.
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        self.tokenizer.cut(prompt)?.iter().for_each(|cut| warn(cut.warning()));
        let (ids, seen) = self.tokenizer.encode_with_one_pad(prompt)?;
        Ok(EncodedPrompt { sequence: self.t5.encode_attending(&ids, seen)?, pooled: None })
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for ChromaParts {
    type Text = T5Text;
    type Transformer = Flux1Transformer;

    const KIND: Kind = Kind::Chroma;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };

    fn patch(_: &ConfigFile) -> Loaded<usize> {
        Ok(PATCH)
    }

    fn size(_: &ConfigFile, _: usize) -> Loaded<usize> {
        Ok(SIZE)
    }

    fn texts(_: &ModelSource) -> Vec<ReadPart> {
        vec![(&TEXT, t5::is_spare)]
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_packed(file, config.channels, vae)?;
        let width = t5::width(&ConfigFile::open(source, TEXT.config)?)?;
        if config.text_width != width {
            return Err(file.refuse("joint_attention_dim", format!("{width}, text_encoder's d_model")));
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<T5Text> {
        let (tokenizer, t5) = loader.t5(&TEXT, TOKENS)?;
        Ok(T5Text { tokenizer, t5 })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<Flux1Transformer> {
        Flux1Transformer::load(file, weights)
    }

    fn defaults(_: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok(DEFAULTS)
    }

    /// Texts of different lengths are computed in separate calls, so that no row is filled up for another.
    fn predict(transformer: &Flux1Transformer, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens,
            |groups| {
                let texts = groups.iter().map(Rows::sequences).collect::<Result<Vec<_>>>()?;
                let inputs = groups.iter().zip(&texts).map(|(group, text)| Inputs {
                    latents: &group.latents,
                    timesteps: &group.timesteps,
                    guidance_scales: &group.guidance_scales,
                    text,
                    pooled: None,
                });
                transformer.forward(&inputs.collect::<Vec<_>>())
            },
        )
    }
}

#[cfg(test)]
mod tests;
