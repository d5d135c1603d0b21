//! The shape of Z-Image's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::json;

/// Pixels of the latents in a patch, in each direction.
pub(crate) const PATCH: usize = 2;
/// Captions and pictures have a multiple of this many tokens.
pub(crate) const MULTIPLE: usize = 32;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub channels: usize,
    pub width: usize,
    pub layers: usize,
    pub refiners: usize,
    pub heads: usize,
    pub eps: f64,
    /// The width of the text encoder's embeddings.
    pub text_width: usize,
    pub theta: f64,
    /// What the time, 0 to 1, is multiplied by.
    pub time_scale: f64,
    /// The channels of a head for each axis of the positions.
    pub axes: [usize; 3],
    /// The positions on each axis.
    pub lengths: [usize; 3],
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' `ZImageTransformer2DModel`.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        for (key, allowed) in [
            ("_class_name", json!("ZImageTransformer2DModel")),
            ("all_patch_size", json!(PATCH)),
            ("all_f_patch_size", json!(1)),
            ("qk_norm", json!(true)),
        ] {
            file.only(key, &[allowed])?;
        }
        // SigLIP's embeddings of pictures are those of Z-Image-Omni.
        file.only("siglip_feat_dim", &[])?;
        let heads = file.count("n_heads", Some(30))?;
        let width = file.count("dim", Some(3840))?;
        let three = |key: &str, default: [usize; 3]| match file.get(key) {
            None => Ok(default),
            Some(_) => <[usize; 3]>::try_from(file.widths(key)?)
                .map_err(|_| file.refuse(key, "a list of three whole numbers")),
        };
        let axes = three("axes_dims", [32, 48, 48])?;
        let depth: usize = axes.iter().sum();
        if depth * heads != width || axes.iter().any(|axis| axis % 2 != 0) {
            let supported = format!("even numbers whose sum is dim / n_heads, {width} / {heads}");
            return Err(file.refuse("axes_dims", supported));
        }
        Ok(Config {
            channels: file.count("in_channels", Some(16))?,
            width,
            layers: file.count("n_layers", Some(30))?,
            refiners: file.count("n_refiner_layers", Some(2))?,
            heads,
            eps: file.number("norm_eps", 1e-5)?,
            text_width: file.count("cap_feat_dim", Some(2560))?,
            theta: file.number("rope_theta", 256.0)?,
            time_scale: file.number("t_scale", 1000.0)?,
            axes,
            lengths: three("axes_lens", [1024, 512, 512])?,
        })
    }

    /// The channels of the embedding of the time.
    pub fn time_width(&self) -> usize {
        self.width.min(256)
    }
}
