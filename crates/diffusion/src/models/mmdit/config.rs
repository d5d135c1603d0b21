//! The shape of Stable Diffusion 3's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::{ConfigFile, as_count};
use serde_json::{Value, json};

/// `eps` of every norm.
pub(super) const EPS: f64 = 1e-6;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The size it was trained at, in latent pixels.
    pub sample_size: usize,
    pub patch: usize,
    pub channels: usize,
    pub layers: usize,
    pub depth: usize,
    pub heads: usize,
    /// The width of the text's embeddings.
    pub text_width: usize,
    /// The width of the pooled embedding.
    pub pooled_width: usize,
    /// The edge of the square of positions.
    pub positions: usize,
    /// The blocks in which the picture also attends to itself alone.
    pub dual: Vec<usize>,
    /// Whether queries and keys are normalised.
    pub normalised: bool,
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        file.only("_class_name", &[json!("SD3Transformer2DModel")])?;
        file.only("qk_norm", &[json!("rms_norm")])?;
        let dual = match file.get("dual_attention_layers") {
            None => Vec::new(),
            Some(value) => value
                .as_array()
                .and_then(|list| list.iter().map(|it| if it == 0 { Some(0) } else { as_count(it) }).collect())
                .ok_or_else(|| file.refuse("dual_attention_layers", "a list of whole numbers"))?,
        };
        let config = Config {
            sample_size: file.count("sample_size", Some(128))?,
            patch: file.count("patch_size", Some(2))?,
            channels: file.count("in_channels", Some(16))?,
            layers: file.count("num_layers", Some(18))?,
            depth: file.count("attention_head_dim", Some(64))?,
            heads: file.count("num_attention_heads", Some(18))?,
            text_width: file.count("joint_attention_dim", Some(4096))?,
            pooled_width: file.count("pooled_projection_dim", Some(2048))?,
            positions: file.count("pos_embed_max_size", Some(96))?,
            dual,
            normalised: file.get("qk_norm").and_then(Value::as_str).is_some(),
        };
        let width = config.width();
        if file.count("caption_projection_dim", Some(1152))? != width {
            let supported = format!("{width}, num_attention_heads times attention_head_dim");
            return Err(file.refuse("caption_projection_dim", supported));
        }
        if file.get("out_channels").is_some() && file.count("out_channels", None)? != config.channels {
            return Err(file.refuse("out_channels", format!("{}, the in_channels", config.channels)));
        }
        Ok(config)
    }

    /// Channels of a token.
    pub fn width(&self) -> usize {
        self.depth * self.heads
    }
}
