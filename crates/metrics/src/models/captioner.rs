//! BLIP: a caption of a picture (Li et al. 2022), computed by candle-transformers and decoded greedily, as transformers'
//! `generate` does by default.

use super::ModelError;
use super::folder::{ModelFolder, Tensors, builder, number, text};
use super::prepare::{Defaults, OPENAI, Preparation};
use super::tokens;
use candle_core::{D, Device, IndexOp, Module, Tensor};
use candle_nn::Activation;
use candle_transformers::models::{blip, blip_text};
use maquette_core::Image;
use serde_json::Value;
use tokenizers::Tokenizer;

/// A model that describes pictures.
pub struct Captioner {
    model: blip::BlipForConditionalGeneration,
    preparation: Preparation,
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
    /// The most tokens of a caption, with the start token.
    length: usize,
}

/// A caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Its text.
    pub text: String,
    /// Its tokens, with the start token, and the end token unless the caption was cut off.
    pub ids: Vec<u32>,
}

/// transformers' default of `max_length`.
const DEFAULT_LENGTH: usize = 20;

/// The decoder's output matrix, which files leave out because it is that of the input tokens.
const OUTPUT: &str = "text_decoder.cls.predictions.decoder.weight";
const INPUT: &str = "text_decoder.bert.embeddings.word_embeddings.weight";

impl Captioner {
    /// The model in a folder.
    ///
    /// # Errors
    ///
    /// A missing or unreadable file, another kind of model, or settings of generation that are not supported.
    pub fn open(folder: &ModelFolder) -> Result<Captioner, ModelError> {
        let config = folder.config()?;
        let kind = text(&config, "model_type", "missing");
        if kind != "blip" {
            let reason = format!(
                "`model_type` is {kind} in its config.json; captions need a blip model, such as Salesforce/blip-image-captioning-base"
            );
            return Err(folder.unsupported(reason));
        }
        let generation = folder.json("generation_config.json")?.unwrap_or(Value::Null);
        let setting =
            |key: &str, default| number(&generation, key, number(&config["text_config"], key, default));
        if setting("num_beams", 1) != 1 {
            return Err(folder.unsupported(
                "its captions are decoded with beams (`num_beams`); only greedy decoding is supported",
            ));
        }
        let mut tensors =
            folder.tensors(&|name| name.starts_with("vision_model.") || name.starts_with("text_decoder."))?;
        tie(&mut tensors);
        let read = read_config(folder, &config)?;
        let decoder = &config["text_config"];
        Ok(Captioner {
            model: blip::BlipForConditionalGeneration::new(&read, builder(tensors))?,
            preparation: Preparation::of(folder, Defaults { shortest: false, normal: OPENAI })?,
            tokenizer: tokens::open(folder)?.ok_or_else(|| folder.missing("tokenizer.json"))?,
            start: number(decoder, "bos_token_id", 30522) as u32,
            end: number(decoder, "sep_token_id", 102) as u32,
            length: most_tokens(setting("max_length", DEFAULT_LENGTH))
                .min(read.text_config.max_position_embeddings),
        })
    }

    /// A caption of a picture: at each step the most probable token.
    ///
    /// # Errors
    ///
    /// A picture that cannot be prepared.
    pub fn caption(&mut self, image: &Image) -> Result<Caption, ModelError> {
        let seen = self.model.vision_model().forward(&self.preparation.tensor(image)?)?;
        self.model.reset_kv_cache();
        let mut ids = vec![self.start];
        while ids.len() < self.length && ids.last() != Some(&self.end) {
            let last = Tensor::new(&ids[ids.len() - 1..], &Device::Cpu)?.unsqueeze(0)?;
            let logits = self.model.text_decoder().forward(&last, &seen)?;
            ids.push(logits.i((0, 0))?.argmax(D::Minus1)?.to_scalar()?);
        }
        let text = self.tokenizer.decode(&ids, true);
        let text =
            text.map_err(|error| candle_core::Error::Msg(format!("the caption has no text: {error}")))?;
        Ok(Caption { text, ids })
    }
}

/// The most tokens of a caption with its start token. transformers takes its own default, and only that, as the number of
/// tokens after the start token.
fn most_tokens(max_length: usize) -> usize {
    if max_length == DEFAULT_LENGTH { max_length + 1 } else { max_length }
}

fn tie(tensors: &mut Tensors) {
    if !tensors.contains_key(OUTPUT)
        && let Some(input) = tensors.get(INPUT)
    {
        let input = input.clone();
        tensors.insert(OUTPUT.to_owned(), input);
    }
}

/// candle's configuration, with transformers' defaults.
fn read_config(folder: &ModelFolder, config: &Value) -> Result<blip::Config, ModelError> {
    let (text_config, vision) = (&config["text_config"], &config["vision_config"]);
    let activation = |part: &Value| {
        serde_json::from_value::<Activation>(Value::from(text(part, "hidden_act", "gelu"))).map_err(|_| {
            folder.unsupported(format!("its activation `{}` is not known", text(part, "hidden_act", "gelu")))
        })
    };
    let epsilon = |part: &Value, default| part["layer_norm_eps"].as_f64().unwrap_or(default);
    let width = number(vision, "hidden_size", 768);
    Ok(blip::Config {
        text_config: blip_text::Config {
            vocab_size: number(text_config, "vocab_size", 30524),
            hidden_size: number(text_config, "hidden_size", 768),
            // transformers sets it to the vision model's, whatever the file says.
            encoder_hidden_size: width,
            intermediate_size: number(text_config, "intermediate_size", 3072),
            projection_dim: number(text_config, "projection_dim", 768),
            num_hidden_layers: number(text_config, "num_hidden_layers", 12),
            num_attention_heads: number(text_config, "num_attention_heads", 8),
            max_position_embeddings: number(text_config, "max_position_embeddings", 512),
            hidden_act: activation(text_config)?,
            layer_norm_eps: epsilon(text_config, 1e-12),
            is_decoder: true,
        },
        vision_config: blip::VisionConfig {
            hidden_size: width,
            intermediate_size: number(vision, "intermediate_size", 3072),
            projection_dim: number(vision, "projection_dim", 512),
            num_hidden_layers: number(vision, "num_hidden_layers", 12),
            num_attention_heads: number(vision, "num_attention_heads", 12),
            image_size: number(vision, "image_size", 384),
            patch_size: number(vision, "patch_size", 16),
            hidden_act: activation(vision)?,
            layer_norm_eps: epsilon(vision, 1e-5),
        },
        projection_dim: number(config, "projection_dim", 512),
        image_text_hidden_size: number(config, "image_text_hidden_size", 256),
    })
}
