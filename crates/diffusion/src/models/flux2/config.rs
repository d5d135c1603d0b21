//! The shape of FLUX.2's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::json;

/// Channels of the sines and cosines of the time.
pub(super) const FREQUENCIES: usize = 256;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub channels: usize,
    pub layers: usize,
    pub single_layers: usize,
    pub depth: usize,
    pub heads: usize,
    /// The width of the text's embeddings.
    pub text_width: usize,
    /// Channels within the feed-forward layers.
    pub inner: usize,
    /// The channels of a head for each axis of the positions.
    pub axes: [usize; 4],
    pub theta: f64,
    pub eps: f64,
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        for (key, allowed) in [
            ("_class_name", json!("Flux2Transformer2DModel")),
            ("patch_size", json!(1)),
            ("timestep_guidance_channels", json!(FREQUENCIES)),
            ("guidance_embeds", json!(false)),
        ] {
            file.only(key, &[allowed])?;
        }
        // The class's default is that of FLUX.2-dev, which is not supported.
        if file.get("guidance_embeds").is_none() {
            return Err(file.refuse("guidance_embeds", "false, as in FLUX.2 klein"));
        }
        let depth = file.count("attention_head_dim", Some(128))?;
        let heads = file.count("num_attention_heads", Some(48))?;
        let axes = file.axes("axes_dims_rope", [32; 4], depth)?;
        Ok(Config {
            channels: file.count("in_channels", Some(128))?,
            layers: file.count("num_layers", Some(8))?,
            single_layers: file.count("num_single_layers", Some(48))?,
            text_width: file.count("joint_attention_dim", Some(15_360))?,
            inner: ((depth * heads) as f64 * file.number("mlp_ratio", 3.0)?) as usize,
            theta: file.number("rope_theta", 2000.0)?,
            eps: file.number("eps", 1e-6)?,
            depth,
            heads,
            axes,
        })
    }

    /// Channels of a token.
    pub fn width(&self) -> usize {
        self.depth * self.heads
    }
}
