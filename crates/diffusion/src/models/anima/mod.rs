//! Anima's text conditioner: T5's tokens attend to each other and to the states of Qwen3, and become the text that the
//! transformer attends to.
//!
//! Formulas and tensor names are those of diffusers' `AnimaTextConditioner`. Not here: tokens and states (`text/`), the transformer
//! (`models/cosmos`).

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::tokens::{normalised, rotated};
use crate::weights::config::ConfigFile;
use crate::weights::found::Table;
use crate::weights::tensors::Weights;
use candle_core::{Device, Result, Tensor};
use maquette_kernels::{Kernels, Linear, Mask, RmsNorm};
use serde_json::json;

type Loaded<T> = std::result::Result<T, ModelError>;

/// `eps` of all norms.
const EPS: f64 = 1e-6;
/// The base of the rotations, which diffusers' class has as a constant.
const THETA: f64 = 10_000.0;

/// The conditioner.
pub(crate) struct TextConditioner {
    embedding: Table,
    in_proj: Option<Linear>,
    blocks: Vec<Block>,
    out_proj: Linear,
    norm: RmsNorm,
    config: Config,
}

/// The conditioner's shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The width of Qwen3's states.
    pub source_width: usize,
    /// The width of the result.
    pub width: usize,
    /// The size of T5's vocabulary.
    pub words: usize,
    /// The width within the blocks.
    inner: usize,
    layers: usize,
    heads: usize,
    /// Channels within a feed-forward layer.
    inner_of_mlp: usize,
    /// Tokens of the result, which zeros fill up.
    pub length: usize,
}

struct Block {
    norms: [RmsNorm; 3],
    attention: Attention,
    cross_attention: Attention,
    mlp: [Linear; 2],
    kernels: &'static dyn Kernels,
}

struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    heads: usize,
    kernels: &'static dyn Kernels,
}

impl Config {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    pub fn read(file: &ConfigFile) -> Loaded<Config> {
        file.only("_class_name", &[json!("AnimaTextConditioner")])?;
        file.only("use_self_attention", &[json!(true)])?;
        file.only("use_layer_norm", &[json!(false)])?;
        let (inner, heads) =
            (file.count("model_dim", Some(1024))?, file.count("num_attention_heads", Some(16))?);
        if !inner.is_multiple_of(2 * heads) {
            return Err(
                file.refuse("num_attention_heads", format!("a divisor of half of {inner}, the model_dim"))
            );
        }
        Ok(Config {
            source_width: file.count("source_dim", Some(1024))?,
            width: file.count("target_dim", Some(1024))?,
            words: file.count("target_vocab_size", Some(32_128))?,
            layers: file.count("num_layers", Some(6))?,
            inner_of_mlp: (inner as f64 * file.number("mlp_ratio", 4.0)?) as usize,
            length: file.count("min_sequence_length", Some(512))?,
            inner,
            heads,
        })
    }
}

impl TextConditioner {
    pub fn load(file: &ConfigFile, weights: &Weights) -> Loaded<TextConditioner> {
        let config = Config::read(file)?;
        let (width, inner) = (config.width, config.inner);
        let in_proj = || weights.at("in_proj").linear(width, inner, true);
        let block = |i: usize| Block::load(&config, &weights.at(format!("blocks.{i}")));
        Ok(TextConditioner {
            embedding: weights.table("embed.weight", [config.words, width])?,
            in_proj: if inner == width { None } else { Some(in_proj()?) },
            blocks: (0..config.layers).map(block).collect::<Loaded<_>>()?,
            out_proj: weights.at("out_proj").linear(inner, width, true)?,
            norm: weights.at("norm").rms_norm(width, EPS)?,
            config,
        })
    }

    /// The text of a prompt with T5's `ids`, of which there is at least one, and Qwen3's states `[1, tokens, source_width]`:
    /// `[1, length, width]`, where `length` is that of the configuration or the number of ids, whichever is more.
    pub fn forward(&self, states: &Tensor, ids: &[u32]) -> Result<Tensor> {
        let device = self.embedding.device();
        let mut x = self.embedding.rows(ids)?.to_dtype(states.dtype())?.unsqueeze(0)?;
        if let Some(in_proj) = &self.in_proj {
            x = in_proj.forward(&x)?;
        }
        let (own, other) = (self.rotary(ids.len(), device)?, self.rotary(states.dim(1)?, device)?);
        for block in &self.blocks {
            x = block.forward(&x, states, &own, &other)?;
        }
        let x = self.norm.forward(&self.out_proj.forward(&x)?)?;
        x.pad_with_zeros(1, 0, self.config.length.saturating_sub(ids.len()))
    }

    fn rotary(&self, tokens: usize, device: &Device) -> Result<Rotary> {
        let depth = self.config.inner / self.config.heads;
        let all: Vec<Vec<f64>> = (0..tokens).map(|at| angles(at as f64, depth, THETA).collect()).collect();
        Rotary::new(&all, Pairs::Halves, device)
    }
}

impl Block {
    fn load(config: &Config, weights: &Weights) -> Loaded<Block> {
        let (width, inner) = (config.inner, config.inner_of_mlp);
        let norm = |name: &str| weights.at(name).rms_norm(width, EPS);
        Ok(Block {
            norms: [norm("norm_self_attn")?, norm("norm_cross_attn")?, norm("norm_mlp")?],
            attention: Attention::load(config, width, &weights.at("self_attn"))?,
            cross_attention: Attention::load(config, config.source_width, &weights.at("cross_attn"))?,
            mlp: [
                weights.at("mlp.0").linear(width, inner, true)?,
                weights.at("mlp.2").linear(inner, width, true)?,
            ],
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor, states: &Tensor, own: &Rotary, other: &Rotary) -> Result<Tensor> {
        let h = self.norms[0].forward(x)?;
        let x = self.attention.forward(&h, &h, [own, own], x)?;
        let x = self.cross_attention.forward(&self.norms[1].forward(&x)?, states, [own, other], &x)?;
        let h = self.kernels.gelu(&self.mlp[0].forward(&self.norms[2].forward(&x)?)?)?;
        self.mlp[1].forward_add(&h, &x)
    }
}

impl Attention {
    /// `inputs` are the channels of what is attended to.
    fn load(config: &Config, inputs: usize, weights: &Weights) -> Loaded<Attention> {
        let (width, depth) = (config.inner, config.inner / config.heads);
        let linear = |name: &str, inputs| weights.at(name).linear(inputs, width, false);
        Ok(Attention {
            q: linear("q_proj", width)?,
            k: linear("k_proj", inputs)?,
            v: linear("v_proj", inputs)?,
            out: linear("o_proj", width)?,
            norm_q: weights.at("q_norm").rms_norm(depth, EPS)?,
            norm_k: weights.at("k_norm").rms_norm(depth, EPS)?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    /// What `x` finds in `to`, added to `sum`; the rotations are those of both.
    fn forward(&self, x: &Tensor, to: &Tensor, [own, other]: [&Rotary; 2], sum: &Tensor) -> Result<Tensor> {
        let q = rotated(own, &normalised(&self.norm_q, &self.q.forward(x)?, self.heads)?, self.heads)?;
        let k = rotated(other, &normalised(&self.norm_k, &self.k.forward(to)?, self.heads)?, self.heads)?;
        let h = self.kernels.attention(&q, &k, &self.v.forward(to)?, self.heads, Mask::None)?;
        self.out.forward_add(&h, sum)
    }
}
