//! Z-Image and Z-Image-Turbo: Qwen3 as the text encoder, a transformer over patches and tokens, an autoencoder with 16
//! channels.
//!
//! Source: diffusers' `ZImagePipeline` and its image-to-image and inpainting variants. Its `guidance_scale` is one less than
//! the scale here, which is the common one: `negative + scale * (positive - negative)`. Not here: Z-Image-Omni.

use crate::families::detect::Kind;
use crate::families::family::Rows;
use crate::families::files::TEXT;
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_channels};
use crate::families::note::{Concerns, ModelNote};
use crate::families::parts::Loader;
use crate::models::vae;
use crate::models::z_image::{Config, Inputs, MULTIPLE, PATCH, ZImageTransformer};
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
use candle_core::{Result, Tensor};

/// The most tokens of a prompt (`max_sequence_length` of the pipeline).
const TOKENS: usize = 512;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;

/// A loaded model of Z-Image.
pub(crate) type ZImage = FlowModel<ZImageParts>;

/// What distinguishes Z-Image from other families.
pub(crate) struct ZImageParts;

/// The text encoder with its tokenizer.
pub(crate) struct ChatText {
    tokenizer: ChatTokenizer,
    encoder: Qwen,
    /// The state that is used: that before the last layer.
    state: usize,
}

/// Notes on every model of the family: the folders of Z-Image and Z-Image-Turbo say nothing that tells one from the other, so
/// that their defaults are those of other models.
pub(super) fn notes() -> Vec<ModelNote> {
    let note =
        |setting, text: &str| ModelNote { text: text.to_owned(), concerns: Concerns::Without(setting) };
    vec![
        note(
            "guidance_scale",
            "`guidance_scale` is 7.5 unless it is set, and 1 means none: Z-Image-Turbo is made for 1, Z-Image for about 5, which \
             are 0 and 4 in diffusers' pipelines; the model's files do not say which of the two it is",
        ),
        note(
            "steps",
            "`steps` is 50 unless it is set: Z-Image-Turbo is made for 8 or 9, Z-Image for 28 to 50; the model's files do not say \
             which of the two it is",
        ),
    ]
}

/// What the text encoder ignores of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizer = tokenizer(source, &ConfigFile::open(source, TEXT.config)?)?;
    Ok(Box::new(move |text| Ok(tokenizer.encode(text, "")?.cut)))
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
        let tokens = self.tokenizer.encode(prompt, "")?;
        tokens.cut.iter().for_each(|cut| warn(cut.warning()));
        let mut states = self.encoder.states(&tokens.ids, &[self.state])?;
        Ok(EncodedPrompt { sequence: states.remove(0), pooled: None })
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for ZImageParts {
    type Text = ChatText;
    type Transformer = ZImageTransformer;

    const KIND: Kind = Kind::ZImage;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };

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
        check_channels(file, config.channels, vae)?;
        let width = qwen::width(&ConfigFile::open(source, TEXT.config)?)?;
        if config.text_width != width {
            return Err(file.refuse("cap_feat_dim", format!("{width}, the text encoder's hidden_size")));
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<ChatText> {
        let config = loader.config(TEXT.config)?;
        let state = qwen::layers(&config)?.saturating_sub(1);
        let encoder = loader.qwen(&config, state)?;
        let tokenizer = tokenizer(loader.source(), &config)?;
        Ok(ChatText { tokenizer, encoder, state })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<ZImageTransformer> {
        ZImageTransformer::load(file, weights)
    }

    /// Captions of different lengths are computed in separate calls, so that no row is filled up for another.
    fn predict(transformer: &ZImageTransformer, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens.next_multiple_of(MULTIPLE),
            |groups| {
                let inputs = groups.iter().map(|group| Inputs {
                    latents: &group.latents,
                    times: group.timesteps.iter().map(|time| (1000.0 - time) / 1000.0).collect(),
                    captions: group.prompts.iter().map(|prompt| &prompt.sequence).collect(),
                });
                let flows = transformer.forward(&inputs.collect::<Vec<_>>())?;
                // The model predicts the way to the picture, and the steps are those of the way to the noise.
                flows.iter().map(Tensor::neg).collect()
            },
        )
    }
}

#[cfg(test)]
mod tests;
