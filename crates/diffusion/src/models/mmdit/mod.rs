//! The transformer of Stable Diffusion 3 and 3.5 (MMDiT, Esser et al., arXiv 2403.03206): patches of latents and tokens of the
//! text attend to each other, each with weights of its own.
//!
//! Formulas and tensor names are those of diffusers' `SD3Transformer2DModel`.

mod block;

use crate::error::ModelError;
use crate::models::sinusoids::sinusoids;
use crate::weights::config::{ConfigFile, as_count};
use crate::weights::tensors::Weights;
use block::{Block, Kind, modulated, parts};
use candle_core::{DType, Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear};
use serde_json::{Value, json};

/// Channels of the sines and cosines of the time.
const FREQUENCIES: usize = 256;
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
    pub fn read(file: &ConfigFile) -> std::result::Result<Config, ModelError> {
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

/// The transformer.
pub(crate) struct Mmdit {
    config: Config,
    patches_in: Linear,
    /// `[1, positions * positions, width]`
    positions: Tensor,
    time: [Linear; 2],
    pooled: [Linear; 2],
    text_in: Linear,
    blocks: Vec<Block>,
    norm_out: LayerNorm,
    modulation_out: Linear,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

impl Mmdit {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<Mmdit, ModelError> {
        let config = Config::read(file)?;
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let embed = |name: &str, inputs| {
            let at = |layer: &str| format!("time_text_embed.{name}.{layer}");
            Ok::<_, ModelError>([
                linear(&at("linear_1"), inputs, width)?,
                linear(&at("linear_2"), width, width)?,
            ])
        };
        let block = |i: usize| {
            let kind = match i + 1 == config.layers {
                true => Kind::Last,
                false if config.dual.contains(&i) => Kind::Dual,
                false => Kind::Ordinary,
            };
            Block::load(&config, &weights.at(format!("transformer_blocks.{i}")), kind)
        };
        let squares = config.positions * config.positions;
        Ok(Mmdit {
            patches_in: weights.at("pos_embed.proj").patch_embedding(
                config.channels,
                width,
                config.patch,
                true,
            )?,
            positions: weights.at("pos_embed").tensor("pos_embed", &[1, squares, width])?,
            time: embed("timestep_embedder", FREQUENCIES)?,
            pooled: embed("text_embedder", config.pooled_width)?,
            text_in: linear("context_embedder", config.text_width, width)?,
            blocks: (0..config.layers).map(block).collect::<std::result::Result<_, _>>()?,
            norm_out: weights.plain_norm(width, EPS)?,
            modulation_out: linear("norm_out.linear", width, 2 * width)?,
            proj_out: linear("proj_out", width, config.patch * config.patch * config.channels)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow, `[B, channels, height, width]`, in latents of this shape at timesteps 0 to 1000.
    ///
    /// `text` is `[B, tokens, text_width]`, `pooled` `[B, 1, pooled_width]`.
    pub fn forward(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        text: &Tensor,
        pooled: &Tensor,
    ) -> Result<Tensor> {
        let Config { patch, channels, .. } = self.config;
        let (rows, _, height, width) = latents.dims4()?;
        let (high, wide) = (height / patch, width / patch);
        let x = latents.to_dtype(self.dtype)?.reshape(&[rows, channels, high, patch, wide, patch][..])?;
        let x = x.permute([0, 2, 4, 1, 3, 5])?.contiguous()?.reshape((rows, high * wide, ()))?;
        let mut x = self.patches_in.forward(&x)?.broadcast_add(&self.positions_of(high, wide)?)?;
        let mut text = self.text_in.forward(&text.to_dtype(self.dtype)?)?;

        let time = sinusoids(timesteps, FREQUENCIES, latents.device())?.to_dtype(self.dtype)?;
        let time =
            self.twice(&self.time, &time)? + self.twice(&self.pooled, &pooled.to_dtype(self.dtype)?)?;
        let condition = self.kernels.silu(&time?)?;
        for block in &self.blocks {
            (x, text) = block.forward(&x, text, &condition)?;
        }
        let [scale, shift] = parts(&self.modulation_out, &condition)?;
        let x = self.proj_out.forward(&modulated(&self.norm_out, &x, &shift, &scale)?)?;
        let x = x.reshape(&[rows, high, wide, patch, patch, channels][..])?;
        x.permute([0, 5, 1, 3, 2, 4])?.contiguous()?.reshape(latents.shape())
    }

    fn twice(&self, [first, second]: &[Linear; 2], x: &Tensor) -> Result<Tensor> {
        second.forward(&self.kernels.silu(&first.forward(x)?)?)
    }

    /// The positions in the middle of the square, `[1, high * wide, width]`.
    fn positions_of(&self, high: usize, wide: usize) -> Result<Tensor> {
        let edge = self.config.positions;
        if high > edge || wide > edge {
            candle_core::bail!("the model has positions for {edge} x {edge} patches, not {high} x {wide}")
        }
        let square = self.positions.reshape((1, edge, edge, ()))?;
        let part = square.narrow(1, (edge - high) / 2, high)?.narrow(2, (edge - wide) / 2, wide)?;
        part.contiguous()?.reshape((1, high * wide, ()))?.to_dtype(self.dtype)
    }
}
