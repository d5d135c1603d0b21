//! Anima: Qwen3's states, which a conditioner joins with T5's tokens, Cosmos-Predict2's transformer, Qwen-Image's autoencoder.
//!
//! Source: diffusers' modular pipeline `AnimaAutoBlocks`, from a text or from a picture. Masks are those of its other pipelines. Of
//! T5 only the tokenizer is used. Not here: films.

use crate::families::detect::Kind;
use crate::families::family::Rows;
use crate::families::files::{CONDITIONER, TEXT};
use crate::families::flow::{FlowFamily, FlowModel, Loaded, ReadPart, check_channels};
use crate::families::parts::{self, Loader};
use crate::image::posterior::Posterior;
use crate::models::anima::{self, TextConditioner};
use crate::models::cosmos::{Config, CosmosTransformer, PATCH};
use crate::models::vae::{self, Vae};
use crate::schedulers::{FlowRule, Mu, SigmaRange};
use crate::text::chat_tokenizer::ChatTokenizer;
use crate::text::cut::{Cut, FindCut};
use crate::text::encode::PromptEncoder;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::error::TextError;
use crate::text::qwen::{self, Qwen};
use crate::text::sentence_tokenizer::SentenceTokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};

/// The most tokens of a prompt, of Qwen3 and of T5 (`max_sequence_length` of the pipeline).
const TOKENS: usize = 512;
/// The size of pictures that the pipeline makes by default.
const SIZE: usize = 1024;
/// The pipeline's guidance scale; its steps are the table's.
const DEFAULTS: (Option<u32>, Option<f64>) = (None, Some(4.0));

/// A loaded model of Anima.
pub(crate) type Anima = FlowModel<AnimaParts>;

/// What distinguishes Anima from other families.
pub(crate) struct AnimaParts;

/// The text encoder and the conditioner with their tokenizers.
pub(crate) struct ConditionedText {
    tokenizers: Tokenizers,
    encoder: Qwen,
    conditioner: TextConditioner,
}

struct Tokenizers {
    qwen: ChatTokenizer,
    t5: SentenceTokenizer,
}

impl Tokenizers {
    fn load(source: &ModelSource) -> Loaded<Tokenizers> {
        let words = qwen::vocabulary_size(&ConfigFile::open(source, TEXT.config)?)?;
        let words_of_t5 = anima::Config::read(&ConfigFile::open(source, CONDITIONER.config)?)?.words;
        Ok(Tokenizers {
            qwen: ChatTokenizer::load(source, TEXT.tokenizer, words, TOKENS)?,
            t5: SentenceTokenizer::load(source, CONDITIONER.tokenizer, words_of_t5, TOKENS)?,
        })
    }

    /// What is ignored of a prompt that Qwen3 reads as `cut`: T5's tokens attend to Qwen3's states, so that T5 counts.
    fn cut(&self, prompt: &str, cut: Option<Cut>) -> Loaded<Option<Cut>> {
        let by_t5 = self.t5.cut(prompt)?;
        Ok(by_t5.or(cut.map(|cut| Cut { by: Some("Qwen3"), ..cut })))
    }
}

/// What is ignored of a prompt.
pub(super) fn find_cut(source: &ModelSource) -> Loaded<FindCut> {
    let tokenizers = Tokenizers::load(source)?;
    Ok(Box::new(move |text| tokenizers.cut(text, tokenizers.qwen.encode_plain(text)?.cut)))
}

impl PromptEncoder for ConditionedText {
    /// Prompts are encoded alone, without padding. Without a token of Qwen3, T5's attend to zeros, as in the pipeline.
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizers.qwen.encode_plain(prompt)?;
        let states = match tokens.ids.is_empty() {
            true => (self.encoder.last_states(&[0])? * 0.0)?,
            false => self.encoder.last_states(&tokens.ids)?,
        };
        self.tokenizers.cut(prompt, tokens.cut)?.iter().for_each(|cut| warn(cut.warning()));
        let ids = self.tokenizers.t5.encode_without_padding(prompt)?;
        Ok(EncodedPrompt { sequence: self.conditioner.forward(&states, &ids)?, pooled: None })
    }
}

impl FlowFamily for AnimaParts {
    type Text = ConditionedText;
    type Transformer = CosmosTransformer;

    const KIND: Kind = Kind::Anima;
    const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };
    const VAES: &'static [&'static str] = &[vae::QWEN_IMAGE];

    fn patch(_: &ConfigFile) -> Loaded<usize> {
        Ok(PATCH)
    }

    fn size(_: &ConfigFile, _: usize) -> Loaded<usize> {
        Ok(SIZE)
    }

    fn positions(file: &ConfigFile) -> Loaded<Option<usize>> {
        Ok(Some(Config::read(file)?.positions))
    }

    fn texts(_: &ModelSource) -> Vec<ReadPart> {
        vec![(&TEXT, qwen::is_spare_in_whole), (&CONDITIONER, |_| false)]
    }

    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()> {
        let config = Config::read(file)?;
        check_channels(file, config.channels, vae)?;
        let conditioner = ConfigFile::open(source, CONDITIONER.config)?;
        let anima::Config { source_width, width, length, .. } = anima::Config::read(&conditioner)?;
        if length < TOKENS {
            let supported = format!("{TOKENS} or more, so that all texts have as many tokens");
            return Err(conditioner.refuse("min_sequence_length", supported));
        }
        if config.text_width != width {
            return Err(file.refuse("text_embed_dim", format!("{width}, text_conditioner's target_dim")));
        }
        let width = qwen::width(&ConfigFile::open(source, TEXT.config)?)?;
        if source_width != width {
            return Err(conditioner.refuse("source_dim", format!("{width}, text_encoder's hidden_size")));
        }
        Ok(())
    }

    fn load_text(loader: &Loader) -> Loaded<ConditionedText> {
        let encoder = loader.whole_qwen(&loader.config(TEXT.config)?)?;
        let config = loader.config(CONDITIONER.config)?;
        let load = |weights: &Weights| TextConditioner::load(&config, weights);
        let conditioner = loader.part(CONDITIONER.name, CONDITIONER.weights, &config, |_| false, load)?;
        Ok(ConditionedText { tokenizers: Tokenizers::load(loader.source())?, encoder, conditioner })
    }

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<CosmosTransformer> {
        CosmosTransformer::load(file, weights)
    }

    fn defaults(_: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok(DEFAULTS)
    }

    fn predict(transformer: &CosmosTransformer, rows: &Rows) -> Result<Tensor> {
        let times: Vec<f32> = rows.timesteps.iter().map(|timestep| timestep / 1000.0).collect();
        transformer.forward(&rows.latents, &times, &rows.sequences()?)
    }

    /// The latents are the mean of the autoencoder's distribution.
    fn encode(vae: &Vae, pixels: &Tensor) -> Result<Posterior> {
        Ok(Posterior { logvar: None, ..parts::encode(vae, pixels)? })
    }
}

#[cfg(test)]
mod tests;
