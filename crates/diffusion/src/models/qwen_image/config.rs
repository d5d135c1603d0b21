//! The shape of Qwen-Image's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::json;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Channels of a patch.
    pub channels: usize,
    pub layers: usize,
    pub depth: usize,
    pub heads: usize,
    /// The width of the text's states.
    pub text_width: usize,
    /// The channels of a head for each axis of the positions.
    pub axes: [usize; 3],
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        file.only("_class_name", &[json!("QwenImageTransformer2DModel")])?;
        file.only("patch_size", &[json!(2)])?;
        // Those of Qwen-Image-Edit and Qwen-Image-Layered. No model has the first one, which diffusers' class has no layers for.
        for key in ["guidance_embeds", "zero_cond_t", "use_additional_t_cond", "use_layer3d_rope"] {
            file.only(key, &[json!(false)])?;
        }
        let depth = file.count("attention_head_dim", Some(128))?;
        let channels = file.count("in_channels", Some(64))?;
        if 4 * file.count("out_channels", Some(16))? != channels {
            return Err(file.refuse("out_channels", format!("a quarter of in_channels, {channels}")));
        }
        Ok(Config {
            channels,
            layers: file.count("num_layers", Some(60))?,
            depth,
            heads: file.count("num_attention_heads", Some(24))?,
            text_width: file.count("joint_attention_dim", Some(3584))?,
            axes: file.axes("axes_dims_rope", [16, 56, 56], depth)?,
        })
    }

    /// Channels of a token.
    pub fn width(&self) -> usize {
        self.depth * self.heads
    }
}
