//! The shape of Cosmos-Predict2's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::{Value, json};

/// Latent pixels in a patch, in each direction.
pub(crate) const PATCH: usize = 2;

/// The base of the rotations before they are stretched, which diffusers' class has as a constant.
const THETA: f64 = 10_000.0;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub channels: usize,
    pub layers: usize,
    pub heads: usize,
    pub depth: usize,
    /// Channels within a feed-forward layer.
    pub inner: usize,
    /// The width of the text's embeddings.
    pub text_width: usize,
    /// Channels within the layers that make shifts, scales and gates.
    pub low_width: usize,
    /// Whether the latents are followed by a channel that is 1 beyond the picture.
    pub has_padding_mask: bool,
    /// The channels of a head for time, height and width.
    pub axes: [usize; 3],
    /// The bases of the rotations of each axis.
    pub thetas: [f64; 3],
    /// The number of positions.
    pub positions: usize,
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        for (key, allowed) in
            [("_class_name", json!("CosmosTransformer3DModel")), ("use_crossattn_projection", json!(false))]
        {
            file.only(key, &[allowed])?;
        }
        // Those of Cosmos-Transfer2.5 and of Cosmos-Predict1, whose positions are learned. The class's default is the latter.
        file.only("img_context_dim_in", &[])?;
        if !file.is_null("extra_pos_embed_type") {
            return Err(file.refuse("extra_pos_embed_type", "null, as in Cosmos-Predict2"));
        }
        let three = |key: &str, default: [usize; 3]| match file.get(key) {
            None => Ok(default),
            Some(_) => <[usize; 3]>::try_from(file.widths(key)?)
                .map_err(|_| file.refuse(key, "a list of three whole numbers")),
        };
        if three("patch_size", [1, PATCH, PATCH])? != [1, PATCH, PATCH] {
            return Err(file.refuse("patch_size", format!("[1, {PATCH}, {PATCH}]")));
        }
        let [frames, high, wide] = three("max_size", [128, 240, 240])?;
        let depth = file.count("attention_head_dim", Some(128))?;
        if depth < 12 || !depth.is_multiple_of(2) {
            return Err(file.refuse("attention_head_dim", "an even number from 12 on"));
        }
        let space = depth / 6 * 2;
        let axes = [depth - 2 * space, space, space];
        let scales = match file.get("rope_scale") {
            None => Some(vec![2.0, 1.0, 1.0]),
            Some(value) => value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect()),
        };
        let scales = scales.and_then(|list| <[f64; 3]>::try_from(list).ok());
        let scales = scales.filter(|list| list.iter().all(|scale| *scale > 0.0));
        let Some(scales) = scales else {
            return Err(file.refuse("rope_scale", "a list of three numbers above 0"));
        };
        let theta = |at: usize| THETA * scales[at].powf(axes[at] as f64 / (axes[at] as f64 - 2.0));
        let (channels, heads) =
            (file.count("in_channels", Some(16))?, file.count("num_attention_heads", Some(32))?);
        if file.count("out_channels", Some(16))? != channels {
            return Err(file.refuse("out_channels", format!("{channels}, the in_channels")));
        }
        Ok(Config {
            channels,
            layers: file.count("num_layers", Some(28))?,
            inner: ((depth * heads) as f64 * file.number("mlp_ratio", 4.0)?) as usize,
            text_width: file.count("text_embed_dim", Some(1024))?,
            low_width: file.count("adaln_lora_dim", Some(256))?,
            has_padding_mask: file.flag("concat_padding_mask", true)?,
            thetas: [theta(0), theta(1), theta(2)],
            positions: frames.max(high / PATCH).max(wide / PATCH),
            heads,
            depth,
            axes,
        })
    }

    /// Channels of a token.
    pub fn width(&self) -> usize {
        self.depth * self.heads
    }
}
