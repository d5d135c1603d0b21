//! The shape of FLUX.1's or Chroma's transformer, read from its configuration.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use serde_json::json;

/// `eps` of every norm, and the base of the rotations, which diffusers' class has as constants.
pub(super) const EPS: f64 = 1e-6;
pub(super) const THETA: f64 = 10_000.0;

/// Modulations of a block in which picture and text are together, of picture or text in another one, and of the last layer.
pub(super) const SINGLE: usize = 3;
pub(super) const DOUBLE: usize = 6;
pub(super) const LAST: usize = 2;

/// The transformer's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Channels of a patch.
    pub channels: usize,
    pub layers: usize,
    pub single_layers: usize,
    pub depth: usize,
    pub heads: usize,
    /// The width of T5's states.
    pub text_width: usize,
    pub conditioned: Conditioned,
    /// The channels of a head for each axis of the positions.
    pub axes: [usize; 3],
}

/// What its shifts, scales and gates depend on besides the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Conditioned {
    /// FLUX.1: embeddings, of which each block has layers of its own.
    ByEmbeddings {
        /// The width of CLIP's pooled embedding.
        pooled_width: usize,
        /// Whether the guidance scale is an input (FLUX.1-dev).
        embeds_guidance: bool,
    },
    /// Chroma: one network makes those of all blocks from the time alone.
    ByApproximator {
        /// Channels of its input, a multiple of 8.
        channels: usize,
        width: usize,
        layers: usize,
    },
}

/// diffusers' classes.
const FLUX1: &str = "FluxTransformer2DModel";
const CHROMA: &str = "ChromaTransformer2DModel";

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Result<Config, ModelError> {
        file.only("_class_name", &[json!(FLUX1), json!(CHROMA)])?;
        file.only("patch_size", &[json!(1)])?;
        let depth = file.count("attention_head_dim", Some(128))?;
        let axes = file.axes("axes_dims_rope", [16, 56, 56], depth)?;
        let channels = file.count("in_channels", Some(64))?;
        if file.get("out_channels").is_some_and(|value| !value.is_null())
            && file.count("out_channels", None)? != channels
        {
            let supported = format!("{channels}, the in_channels: models for filling and control are not");
            return Err(file.refuse("out_channels", supported));
        }
        Ok(Config {
            channels,
            layers: file.count("num_layers", Some(19))?,
            single_layers: file.count("num_single_layers", Some(38))?,
            heads: file.count("num_attention_heads", Some(24))?,
            text_width: file.count("joint_attention_dim", Some(4096))?,
            conditioned: match file.get("_class_name").and_then(|class| class.as_str()) {
                Some(CHROMA) => by_approximator(file)?,
                _ => Conditioned::ByEmbeddings {
                    pooled_width: file.count("pooled_projection_dim", Some(768))?,
                    embeds_guidance: file.flag("guidance_embeds", false)?,
                },
            },
            depth,
            axes,
        })
    }

    /// Channels of a token.
    pub fn width(&self) -> usize {
        self.depth * self.heads
    }
    /// Whether the guidance scale is an input.
    pub fn embeds_guidance(&self) -> bool {
        matches!(self.conditioned, Conditioned::ByEmbeddings { embeds_guidance: true, .. })
    }

    /// The modulations of all blocks and of the last layer: those of blocks in which picture and text are together come first, then
    /// those of the picture in the others, then those of the text.
    pub fn modulations(&self) -> usize {
        SINGLE * self.single_layers + 2 * DOUBLE * self.layers + LAST
    }
}

fn by_approximator(file: &ConfigFile) -> Result<Conditioned, ModelError> {
    let channels = file.count("approximator_num_channels", Some(64))?;
    if !channels.is_multiple_of(8) {
        return Err(file.refuse("approximator_num_channels", "a multiple of 8"));
    }
    Ok(Conditioned::ByApproximator {
        channels,
        width: file.count("approximator_hidden_dim", Some(5120))?,
        layers: file.count("approximator_layers", Some(5))?,
    })
}
