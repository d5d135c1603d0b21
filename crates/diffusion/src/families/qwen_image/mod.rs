//! Qwen-Image: Qwen2.5-VL as the text encoder, a transformer in which picture and text have weights of their own, an autoencoder
//! whose latents are normalised by channel.
//!
//! Source: diffusers' `QwenImagePipeline` and its image-to-image and inpainting variants, whose `true_cfg_scale` is the guidance scale.
//! Not here: Qwen-Image-Edit and Qwen-Image-Layered, ControlNets.

use crate::families::detect::Kind;
use crate::families::family::Rows;
use crate::families::files::TEXT;
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_packed};
use crate::families::parts::Loader;
use crate::models::qwen_image::{Config, Inputs, PATCH, QwenImageTransformer};
use crate::models::vae;
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::chat_tokenizer::{ChatTokenizer, ChatTokens};
use crate::text::conditioning::Normalise;
use crate::text::cut::{Cut, FindCut};
use crate::text::encode::PromptEncoder;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::error::TextError;
use crate::text::qwen::{self, Qwen};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};

/// What the text encoder reads before and after a prompt (`prompt_template_encode` of the pipeline).
const BEFORE: &str = "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial \
                      relationships of the objects and background:<|im_end|>\n<|im_start|>user\n";
const AFTER: &str = "<|im_end|>\n<|im_start|>assistant\n";
/// The first states, which are left out: those of what precedes the prompt (`prompt_template_encode_start_idx`).
const LEFT_OUT: usize = 34;
/// The most states that are used (`max_sequence_length` of the pipeline).
const TOKENS: usize = 512;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;
/// The pipeline's guidance scale; its steps are the table's.
const DEFAULTS: (Option<u32>, Option<f64>) = (None, Some(4.0));

/// A loaded model of Qwen-Image.
pub(crate) type QwenImage = FlowModel<QwenImageParts>;

/// What distinguishes Qwen-Image from other families.
pub(crate) struct QwenImageParts;

/// The text encoder with its tokenizer.
pub(crate) struct DescribedText {
    tokenizer: Tokenizer,
    encoder: Qwen,
}

struct Tokenizer(ChatTokenizer);

impl Tokenizer {
    fn load(source: &ModelSource) -> Loaded<Tokenizer> {
        let words = qwen::vocabulary_size(&text_config(source)?)?;
        Ok(Tokenizer(ChatTokenizer::load(source, TEXT.tokenizer, words, LEFT_OUT + TOKENS)?))
    }

    fn encode(&self, prompt: &str) -> Loaded<ChatTokens> {
        let ChatTokens { ids, cut } = self.0.encode_between(BEFORE, prompt, AFTER)?;
        Ok(ChatTokens { ids, cut: cut.map(|cut| Cut { length: TOKENS, ..cut }) })
    }
}

fn text_config(source: &ModelSource) -> Loaded<ConfigFile> {
    qwen::language(ConfigFile::open(source, TEXT.config)?)
}

/// What the text encoder ignores of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizer = Tokenizer::load(source)?;
    Ok(Box::new(move |text| Ok(tokenizer.encode(text)?.cut)))
}

impl PromptEncoder for DescribedText {
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizer.encode(prompt)?;
        tokens.cut.iter().for_each(|cut| warn(cut.warning()));
        let states = self.encoder.last_states(&tokens.ids)?;
        let used = tokens.ids.len().saturating_sub(LEFT_OUT);
        Ok(EncodedPrompt { sequence: states.narrow(1, LEFT_OUT, used)?.contiguous()?, pooled: None })
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl FlowFamily for QwenImageParts {
    type Text = DescribedText;
    type Transformer = QwenImageTransformer;

    const KIND: Kind = Kind::QwenImage;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };
    const VAES: &'static [&'static str] = &[vae::QWEN_IMAGE];
    const NORMALISE: Option<Normalise> = Some(normalised);

    fn patch(_: &ConfigFile) -> Loaded<usize> {
        Ok(PATCH)
    }

    fn size(_: &ConfigFile, _: usize) -> Loaded<usize> {
        Ok(SIZE)
    }

    fn texts(_: &ModelSource) -> Vec<ReadPart> {
        vec![(&TEXT, qwen::is_spare_in_whole)]
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_packed(file, config.channels, vae)?;
        let width = qwen::width(&text_config(source)?)?;
        if config.text_width != width {
            return Err(
                file.refuse("joint_attention_dim", format!("{width}, the text encoder's hidden_size"))
            );
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<DescribedText> {
        let encoder = loader.whole_qwen(&text_config(loader.source())?)?;
        Ok(DescribedText { tokenizer: Tokenizer::load(loader.source())?, encoder })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<QwenImageTransformer> {
        QwenImageTransformer::load(file, weights)
    }

    fn defaults(_: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok(DEFAULTS)
    }

    /// Texts of different lengths are computed in separate calls, so that no row is filled up for another.
    fn predict(transformer: &QwenImageTransformer, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens,
            |groups| {
                let texts = groups.iter().map(Rows::sequences).collect::<Result<Vec<_>>>()?;
                let inputs = groups.iter().zip(&texts).map(|(group, text)| Inputs {
                    latents: &group.latents,
                    timesteps: &group.timesteps,
                    text,
                });
                transformer.forward(&inputs.collect::<Vec<_>>())
            },
        )
    }
}

/// Each patch of a guided prediction keeps the length that it has in the prompt's.
fn normalised(guided: &Tensor, prompt: &Tensor) -> Result<Tensor> {
    let ratio = (lengths(&in_patches(prompt)?)? / lengths(&in_patches(guided)?)?)?;
    in_patches(guided)?.broadcast_mul(&ratio)?.reshape(guided.shape())
}

/// `[rows, channels, height / PATCH, PATCH, width / PATCH, PATCH]`.
fn in_patches(prediction: &Tensor) -> Result<Tensor> {
    let (rows, channels, height, width) = prediction.dims4()?;
    prediction.reshape(&[rows, channels, height / PATCH, PATCH, width / PATCH, PATCH][..])
}

/// The length of each patch as a vector, `[rows, 1, height / PATCH, 1, width / PATCH, 1]`.
fn lengths(patches: &Tensor) -> Result<Tensor> {
    patches.sqr()?.sum_keepdim(5)?.sum_keepdim(3)?.sum_keepdim(1)?.sqrt()
}

#[cfg(test)]
mod tests;
