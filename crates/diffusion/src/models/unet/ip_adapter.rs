//! An IP-Adapter: a picture as a prompt, for which each cross-attention gets keys and values of its own.
//!
//! diffusers' `IPAdapterAttnProcessor2_0`, `ImageProjection` and `IPAdapterPlusImageProjection` (Ye et al., arXiv 2308.06721),
//! under the names of its authors' files. Not here: the encoder of the picture; several adapters, masks, FaceID.

use super::Unet;
use crate::error::ModelError;
use crate::weights::header::Header;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask};

type Loaded<T> = std::result::Result<T, ModelError>;

const EPS: f64 = 1e-5;

/// Tokens of a picture's embedding.
const TOKENS: usize = 4;

/// Channels of a head of the resampler.
const HEAD: usize = 64;

/// A loaded IP-Adapter.
#[derive(Debug)]
pub struct IpAdapter {
    projection: Projection,
    cross: Vec<CrossAttention>,
    shape: IpAdapterShape,
    kernels: &'static dyn Kernels,
}

/// The shape of an IP-Adapter, from its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IpAdapterShape {
    /// Which output of the image encoder it takes.
    pub input: ImageInput,
    /// The width of the text that the UNet attends to.
    pub(super) text_width: usize,
    /// The numbers of its cross-attentions in the file, and the widths that they attend from.
    pub(super) cross: Vec<(usize, usize)>,
}

/// An output of an image encoder, and its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageInput {
    /// The projected embedding of the whole picture.
    Embedding(usize),
    /// The tokens before the last layer.
    Tokens(usize),
}

impl std::fmt::Display for ImageInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageInput::Embedding(width) => write!(f, "a projection_dim of {width}"),
            ImageInput::Tokens(width) => write!(f, "a hidden_size of {width}"),
        }
    }
}

/// A picture's tokens for the rows of a call.
#[derive(Debug)]
pub struct ImagePrompt<'a> {
    pub(crate) adapter: &'a IpAdapter,
    /// `[rows, tokens, text width]`
    pub(crate) tokens: Tensor,
    /// `[rows, 1, 1]`
    pub(crate) scales: Tensor,
}

#[derive(Debug)]
struct CrossAttention {
    to_k: Linear,
    to_v: Linear,
}

#[derive(Debug)]
enum Projection {
    Embedding { proj: Linear, norm: LayerNorm },
    Tokens(Resampler),
}

/// Learnt tokens that attend to those of a picture.
#[derive(Debug)]
struct Resampler {
    latents: Tensor,
    proj_in: Linear,
    layers: Vec<ResamplerLayer>,
    proj_out: Linear,
    norm_out: LayerNorm,
    kernels: &'static dyn Kernels,
}

#[derive(Debug)]
struct ResamplerLayer {
    norm1: LayerNorm,
    norm2: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    inner: usize,
    ff_norm: LayerNorm,
    ff_in: Linear,
    ff_out: Linear,
}

impl IpAdapterShape {
    /// The shape by a file's header, or what the file is instead.
    pub fn read(header: &Header) -> std::result::Result<IpAdapterShape, String> {
        let length = |key: &str, axis: usize| header.length(key, axis);
        if header.keys().any(|key| key.contains("perceiver_resampler.") || key.contains("_lora.")) {
            return Err(
                "it looks like an IP-Adapter-FaceID, which needs a model that recognises faces".to_owned()
            );
        }
        if header.contains_key("image_proj.proj.0.weight") {
            return Err(
                "it looks like ip-adapter-full-face, which is not supported; use ip-adapter-plus-face"
                    .to_owned(),
            );
        }
        let embedding = length("image_proj.proj.weight", 1).map(ImageInput::Embedding);
        let tokens = || length("image_proj.proj_in.weight", 1).map(ImageInput::Tokens);
        let Some(input) = embedding.or_else(tokens) else {
            return Err("it has no tensor `image_proj.proj.weight` or `image_proj.proj_in.weight`".to_owned());
        };
        let heads = length("image_proj.layers.0.0.to_q.weight", 0).unwrap_or(0);
        if matches!(input, ImageInput::Tokens(_)) && (heads == 0 || !heads.is_multiple_of(HEAD)) {
            return Err(
                "its `image_proj.layers.0.0.to_q.weight` is not one of heads of 64 channels".to_owned()
            );
        }
        let number = |key: &String| {
            key.strip_prefix("ip_adapter.")?.strip_suffix(".to_k_ip.weight")?.parse::<usize>().ok()
        };
        let mut cross: Vec<(usize, usize)> =
            header.keys().filter_map(|key| Some((number(key)?, length(key, 0)?))).collect();
        cross.sort_unstable();
        let first = cross.first().map(|(number, _)| format!("ip_adapter.{number}.to_k_ip.weight"));
        match first.and_then(|key| length(&key, 1)) {
            Some(text_width) => Ok(IpAdapterShape { input, text_width, cross }),
            None => Err("it has no tensor `ip_adapter.1.to_k_ip.weight`".to_owned()),
        }
    }
}

impl IpAdapter {
    pub(crate) fn load(shape: IpAdapterShape, header: &Header, weights: &Weights) -> Loaded<IpAdapter> {
        let text_width = shape.text_width;
        let image = weights.at("image_proj");
        let projection = match shape.input {
            ImageInput::Embedding(width) => Projection::Embedding {
                proj: image.at("proj").linear(width, TOKENS * text_width, true)?,
                norm: image.at("norm").layer_norm(text_width, EPS)?,
            },
            ImageInput::Tokens(width) => {
                Projection::Tokens(Resampler::load([width, text_width], header, &image)?)
            }
        };
        let cross = |&(number, width): &(usize, usize)| {
            let linear = |name: &str| {
                weights.at(format!("ip_adapter.{number}.{name}")).linear(text_width, width, false)
            };
            Ok(CrossAttention { to_k: linear("to_k_ip")?, to_v: linear("to_v_ip")? })
        };
        let cross = shape.cross.iter().map(cross).collect::<Loaded<_>>()?;
        Ok(IpAdapter { projection, cross, shape, kernels: weights.kernels() })
    }

    /// Why it cannot be used with a UNet; `None` if it can.
    pub(crate) fn mismatch(&self, unet: &Unet) -> Option<String> {
        let (own, other) = (self.shape.text_width, unet.text_width);
        let kind = |width: usize| match width {
            768 => "Stable Diffusion 1".to_owned(),
            1024 => "Stable Diffusion 2".to_owned(),
            2048 => "Stable Diffusion XL".to_owned(),
            width => format!("text embeddings of width {width}"),
        };
        if own != other {
            return Some(format!("it is for {}, the model is of {}", kind(own), kind(other)));
        }
        let widths: Vec<usize> = self.shape.cross.iter().map(|(_, width)| *width).collect();
        (widths != unet.cross_widths).then(|| {
            let (own, other) = (widths.len(), unet.cross_widths.len());
            format!(
                "it is for another UNet: it has {own} cross-attentions, the model's {other}, or other widths"
            )
        })
    }

    /// The tokens of a picture, `[1, tokens, text width]`, from the output of the image encoder that it takes.
    pub(crate) fn tokens(&self, image: &Tensor) -> Result<Tensor> {
        match &self.projection {
            Projection::Embedding { proj, norm } => {
                norm.forward(&proj.forward(image)?.reshape((1, TOKENS, self.shape.text_width))?)
            }
            Projection::Tokens(resampler) => resampler.forward(image),
        }
    }
}

impl ImagePrompt<'_> {
    /// The attention of the UNet's cross-attention with this number to the picture, from its queries.
    pub(super) fn attend(&self, number: usize, q: &Tensor, heads: usize) -> Result<Tensor> {
        let Some(CrossAttention { to_k, to_v }) = self.adapter.cross.get(number) else {
            candle_core::bail!("the IP-Adapter has no cross-attention {number}")
        };
        let (k, v) = (to_k.forward(&self.tokens)?, to_v.forward(&self.tokens)?);
        let attended = self.adapter.kernels.attention(q, &k, &v, heads, Mask::None)?;
        attended.broadcast_mul(&self.scales.to_dtype(attended.dtype())?)
    }
}

impl Resampler {
    fn load([inputs, outputs]: [usize; 2], header: &Header, weights: &Weights) -> Loaded<Resampler> {
        let length = |key: &str, axis: usize| header.length(&format!("image_proj.{key}"), axis).unwrap_or(0);
        let (count, width) = (length("latents", 1), length("latents", 2));
        let depth = (0..).take_while(|i| length(&format!("layers.{i}.0.to_q.weight"), 0) > 0).count();
        let layer = |i: usize| {
            let inner = length("layers.0.0.to_q.weight", 0);
            let hidden = length(&format!("layers.{i}.1.1.weight"), 0);
            let (attention, ff) = (weights.at(format!("layers.{i}.0")), weights.at(format!("layers.{i}.1")));
            Ok(ResamplerLayer {
                norm1: attention.at("norm1").layer_norm(width, EPS)?,
                norm2: attention.at("norm2").layer_norm(width, EPS)?,
                to_q: attention.at("to_q").linear(width, inner, false)?,
                to_kv: attention.at("to_kv").linear(width, 2 * inner, false)?,
                to_out: attention.at("to_out").linear(inner, width, false)?,
                inner,
                ff_norm: ff.at("0").layer_norm(width, EPS)?,
                ff_in: ff.at("1").linear(width, hidden, false)?,
                ff_out: ff.at("3").linear(hidden, width, false)?,
            })
        };
        Ok(Resampler {
            latents: weights.tensor("latents", &[1, count, width])?,
            proj_in: weights.at("proj_in").linear(inputs, width, true)?,
            layers: (0..depth).map(layer).collect::<Loaded<_>>()?,
            proj_out: weights.at("proj_out").linear(width, outputs, true)?,
            norm_out: weights.at("norm_out").layer_norm(outputs, EPS)?,
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let tokens = self.proj_in.forward(tokens)?;
        let mut latents = self.latents.to_dtype(tokens.dtype())?;
        for layer in &self.layers {
            let own = layer.norm2.forward(&latents)?;
            let seen = Tensor::cat(&[&layer.norm1.forward(&tokens)?, &own], 1)?;
            let (q, kv) = (layer.to_q.forward(&own)?, layer.to_kv.forward(&seen)?);
            let half = |number: usize| kv.narrow(2, number * layer.inner, layer.inner)?.contiguous();
            let h = self.kernels.attention(&q, &half(0)?, &half(1)?, layer.inner / HEAD, Mask::None)?;
            latents = layer.to_out.forward_add(&h, &latents)?;
            let h = self.kernels.gelu(&layer.ff_in.forward(&layer.ff_norm.forward(&latents)?)?)?;
            latents = layer.ff_out.forward_add(&h, &latents)?;
        }
        self.norm_out.forward(&self.proj_out.forward(&latents)?)
    }
}
