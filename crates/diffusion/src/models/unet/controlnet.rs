//! A ControlNet: a copy of the UNet's first half that also sees a picture, and whose features are added to the UNet's.
//!
//! diffusers' `ControlNetModel` (Zhang et al., arXiv 2302.05543). Not here: guess mode, pooled features, several ControlNets.

use super::config::UnetConfig;
use super::down::{DownPath, Features, skip_widths};
use super::residuals::Residuals;
use super::time::Conditions;
use super::widths::{UnetWidths, kind};
use crate::error::ModelError;
use crate::weights::config::{ConfigFile, as_count};
use crate::weights::tensors::Weights;
use candle_core::{DType, Result, Tensor};
use maquette_kernels::{Conv2d, Kernels, Padding};
use serde_json::{Value, json};

type Loaded<T> = std::result::Result<T, ModelError>;

/// The channels of the picture's embedding (diffusers' default).
const HINT_WIDTHS: [usize; 4] = [16, 32, 96, 256];

/// A loaded ControlNet.
pub struct ControlNet {
    down: DownPath,
    hint: HintEmbedding,
    /// One for each skip connection of the UNet.
    out: Vec<Conv2d>,
    out_middle: Conv2d,
    skips: Vec<usize>,
    in_channels: usize,
    text_width: usize,
}

impl ControlNet {
    /// Refuses configurations that are not supported.
    pub(crate) fn check(config: &ConfigFile) -> Loaded<()> {
        hint_widths(config)?;
        UnetConfig::read(&as_unet(config)?).map(|_| ())
    }

    /// Loads it from its configuration and weights.
    pub(crate) fn load(config: &ConfigFile, weights: &Weights) -> Loaded<ControlNet> {
        let shape = UnetConfig::read(&as_unet(config)?)?;
        let (first, skips) = (shape.blocks[0].width, skip_widths(&shape));
        let out = |width: usize, weights: &Weights| weights.conv2d(width, width, 1, 1, Padding::Around(0));
        let outs = skips.iter().enumerate();
        Ok(ControlNet {
            down: DownPath::load(&shape, weights)?,
            hint: HintEmbedding::load(config, first, &weights.at("controlnet_cond_embedding"))?,
            out: outs
                .map(|(i, &width)| out(width, &weights.at(format!("controlnet_down_blocks.{i}"))))
                .collect::<Loaded<_>>()?,
            out_middle: out(shape.blocks[shape.blocks.len() - 1].width, &weights.at("controlnet_mid_block"))?,
            skips,
            in_channels: shape.in_channels,
            text_width: shape.text_width,
        })
    }

    /// Pixels per pixel of the latents that it takes.
    pub(crate) fn factor(&self) -> usize {
        self.hint.factor()
    }

    /// Why it cannot be used with a UNet whose latents have this many channels; `None` if it can.
    pub(crate) fn mismatch(&self, unet: &UnetWidths, latent_channels: usize) -> Option<String> {
        let (own, pooled) = (self.text_width, self.down.time.pooled_width());
        if (own, pooled) != (unet.text, unet.pooled) {
            let (own, other) = (kind(own, pooled.is_some()), kind(unet.text, unet.pooled.is_some()));
            return Some(format!("it is for {own}, the model is of {other}"));
        }
        if self.in_channels != latent_channels {
            let own = self.in_channels;
            return Some(format!("it is for latents of {own} channels, the model's have {latent_channels}"));
        }
        (self.skips != unet.skips)
            .then(|| format!("its features have the widths {:?}, the model's {:?}", self.skips, unet.skips))
    }

    /// The embedding of a picture `[1, 3, height, width]` in 0 to 1, for [`ControlNet::forward`]: it is the same in every
    /// step.
    pub(crate) fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        self.hint.forward(pixels)
    }

    /// What is added to the UNet's features. Each row has latents, a timestep, text, and in `condition` an embedded picture and
    /// a factor. `last` is the last of the UNet's skip connections that is computed; `None` for all of them.
    pub(crate) fn forward(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        text: &Tensor,
        conditions: &Conditions,
        (hints, scales): (&Tensor, &[f64]),
        last: Option<usize>,
    ) -> Result<Residuals> {
        let guidance_scales = conditions.guidance_scales.filter(|_| self.down.time.embeds_guidance());
        let conditions = Conditions { guidance_scales, control: None, image: None, ..*conditions };
        let Features { skips, end, .. } =
            self.down.forward(latents, timesteps, text, &conditions, Some(hints), last)?;
        let factors: Vec<f32> = scales.iter().map(|&scale| scale as f32).collect();
        let factors = Tensor::from_vec(factors, (scales.len(), 1, 1, 1), end.device())?;
        let factors = factors.to_dtype(end.dtype())?;
        let scaled = |conv: &Conv2d, x: &Tensor| conv.forward(x)?.broadcast_mul(&factors);
        let skips = self.out.iter().zip(&skips).map(|(conv, skip)| scaled(conv, skip));
        let middle = last.is_none().then(|| scaled(&self.out_middle, &end)).transpose()?;
        Ok(Residuals { skips: skips.collect::<Result<_>>()?, middle })
    }
}

/// The convolutions that bring a picture to the size of the latents: diffusers' `ControlNetConditioningEmbedding`.
struct HintEmbedding {
    conv_in: Conv2d,
    /// Pairs: the second one halves the size.
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

impl HintEmbedding {
    fn load(config: &ConfigFile, outputs: usize, weights: &Weights) -> Loaded<HintEmbedding> {
        let widths = hint_widths(config)?;
        let conv = |name: &str, inputs: usize, outputs: usize, stride: usize| {
            weights.at(name).conv2d(inputs, outputs, 3, stride, Padding::Around(1))
        };
        let mut blocks = Vec::new();
        for (i, pair) in widths.windows(2).enumerate() {
            blocks.push(conv(&format!("blocks.{}", 2 * i), pair[0], pair[0], 1)?);
            blocks.push(conv(&format!("blocks.{}", 2 * i + 1), pair[0], pair[1], 2)?);
        }
        Ok(HintEmbedding {
            conv_in: conv("conv_in", 3, widths[0], 1)?,
            blocks,
            conv_out: conv("conv_out", widths[widths.len() - 1], outputs, 1)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
        })
    }

    fn factor(&self) -> usize {
        1 << (self.blocks.len() / 2)
    }

    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let mut x = self.kernels.silu(&self.conv_in.forward(&pixels.to_dtype(self.dtype)?)?)?;
        for conv in &self.blocks {
            x = self.kernels.silu(&conv.forward(&x)?)?;
        }
        self.conv_out.forward(&x)
    }
}

/// The channels of the picture's embedding, from its full size to that of the latents.
fn hint_widths(config: &ConfigFile) -> Loaded<Vec<usize>> {
    const KEY: &str = "conditioning_embedding_out_channels";
    if config.get(KEY).is_none() {
        return Ok(HINT_WIDTHS.to_vec());
    }
    let widths = config.widths(KEY)?;
    match widths.len() <= 8 {
        true => Ok(widths),
        false => Err(config.refuse(KEY, "at most 8 numbers: each but the first halves the size")),
    }
}

/// Its configuration as that of the UNet whose first half it copies. Refuses what only a ControlNet can have and is not
/// supported.
fn as_unet(config: &ConfigFile) -> Loaded<ConfigFile> {
    let only: [(&str, &[Value]); 4] = [
        ("_class_name", &[json!("ControlNetModel")]),
        ("conditioning_channels", &[json!(3)]),
        ("controlnet_conditioning_channel_order", &[json!("rgb")]),
        ("global_pool_conditions", &[json!(false)]),
    ];
    only.iter().try_for_each(|(key, allowed)| config.only(key, allowed))?;
    let down = config.get("down_block_types").and_then(Value::as_array);
    let up = down.map(|kinds| {
        let up = kinds.iter().rev().map(|kind| kind.as_str().unwrap_or_default().replace("Down", "Up"));
        up.collect::<Vec<_>>()
    });
    let channels = config.get("in_channels").and_then(as_count).unwrap_or(4);
    // Of the other half, which a ControlNet does not have.
    Ok(config.with([
        ("_class_name", json!("UNet2DConditionModel")),
        ("up_block_types", json!(up)),
        ("out_channels", json!(channels)),
        ("sample_size", json!(1)),
    ]))
}
