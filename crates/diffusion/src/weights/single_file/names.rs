//! From the name of a tensor in diffusers' layout to its place in a checkpoint with LDM's names.
//!
//! LDM is the code that Stable Diffusion was trained with (CompVis' `ldm`, Stability's `sgm`); single files on model
//! sites use its names. The rules are the inverse of diffusers' `single_file_utils.py`. They are pure functions of names,
//! independent of a file's content.

use super::controlnet_names;
use super::qwen_image_names;
use crate::weights::llama_names::LlamaCpp;
use crate::weights::original_names::{Original, Rows};

/// A part of a model inside a checkpoint; each has a prefix, such as `model.diffusion_model.`, and its own rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The UNet. A down block has `layers` layers, an up block one more.
    Unet { prefix: String, layers: usize },
    /// The autoencoder with `levels` levels; LDM counts the decoder's from the finest.
    Vae { prefix: String, levels: usize },
    /// Qwen-Image's autoencoder under the names of Wan's code, with `layers` residual blocks on each level of the encoder.
    QwenImageVae { prefix: String, layers: usize },
    /// A text encoder under transformers' own names.
    Clip { prefix: String },
    /// A text encoder under OpenCLIP's names; the model uses its first `layers` layers.
    OpenClip { prefix: String, layers: usize },
    /// A transformer under the names of its authors' code.
    Transformer { prefix: String, of: Original },
    /// A part under the names of diffusers or transformers, all below a prefix.
    Below { prefix: String },
    /// A text encoder under llama.cpp's names.
    LlamaCpp(LlamaCpp),
    /// A ControlNet, whose picture passes `hints` convolutions between the first and the last.
    ControlNet { prefix: String, layers: usize, hints: usize },
    /// A file of its own with diffusers' names.
    Plain,
}

/// Where a tensor is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The possible names, of which a file has one.
    pub keys: Vec<String>,
    /// Which of the stored tensor's rows it has: OpenCLIP keeps queries, keys and values in one tensor.
    pub rows: Rows,
    /// Whether the tensor is stored transposed.
    pub transposed: bool,
}

impl Place {
    /// That of a tensor that is stored as it is, under this name.
    pub(crate) fn same(name: &str) -> Place {
        Place { keys: vec![name.to_owned()], rows: Rows::All, transposed: false }
    }
}

impl Part {
    /// The prefix of this part's tensors.
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Part::Unet { prefix, .. }
            | Part::Vae { prefix, .. }
            | Part::QwenImageVae { prefix, .. }
            | Part::Clip { prefix }
            | Part::OpenClip { prefix, .. }
            | Part::Transformer { prefix, .. }
            | Part::Below { prefix }
            | Part::ControlNet { prefix, .. } => prefix,
            Part::Plain | Part::LlamaCpp(_) => "",
        }
    }

    /// Where the tensor of that name is stored. A name without a rule is not changed.
    pub(crate) fn place(&self, name: &str) -> Place {
        let words: Vec<&str> = name.split('.').collect();
        let (mut rows, mut transposed) = (Rows::All, false);
        let mut names = match self {
            Part::Unet { layers, .. } => unet(&words, *layers),
            Part::Vae { levels, .. } => vae_names(&words, *levels),
            Part::QwenImageVae { layers, .. } => vec![qwen_image_names::name(&words, *layers)],
            Part::Clip { .. } | Part::Below { .. } | Part::Plain => vec![None],
            Part::LlamaCpp(encoder) => vec![encoder.name(name)],
            Part::ControlNet { layers, hints, .. } => match controlnet_names::name(&words, *hints) {
                None => unet(&words, *layers),
                name => vec![name],
            },
            Part::Transformer { of, .. } => {
                let (keys, part) = transformer(name, *of);
                rows = part;
                keys.into_iter().map(Some).collect()
            }
            Part::OpenClip { .. } => {
                transposed = name == "text_projection.weight";
                let (key, third) = open_clip(&words);
                rows = third.map_or(Rows::All, Rows::third);
                vec![key]
            }
        };
        let keys = names
            .drain(..)
            .map(|key| format!("{}{}", self.prefix(), key.unwrap_or_else(|| name.to_owned())))
            .collect();
        Place { keys, rows, transposed }
    }

    /// Whether a tensor may be in the file without being used; `is_spare` says it for parts whose names are translated one by
    /// one, by the name in diffusers or transformers.
    pub(crate) fn is_spare(&self, key: &str, is_spare: impl Fn(&str) -> bool) -> bool {
        let Some(name) = key.strip_prefix(self.prefix()) else { return true };
        match self {
            Part::Unet { .. } | Part::ControlNet { .. } | Part::Plain => false,
            // A norm that the model has not used since its publication.
            Part::Transformer { of: Original::ZImage, .. } => name == "norm_final.weight",
            // Another part, and what was kept from the training.
            Part::Transformer { of: Original::Anima, .. } => {
                ["llm_adapter.", "pos_embedder.", "accum_"].iter().any(|start| name.starts_with(start))
                    || name.ends_with("_extra_state")
            }
            Part::Transformer { .. } => false,
            Part::Below { .. } => is_spare(name),
            Part::LlamaCpp(encoder) => encoder.original(name).is_some_and(|name| is_spare(&name)),
            Part::Vae { .. } => is_spare_in_vae(name),
            Part::QwenImageVae { .. } => is_spare(name),
            Part::Clip { .. } => is_spare_in_text_encoder(name),
            Part::OpenClip { layers, .. } => {
                let layer =
                    name.strip_prefix("transformer.resblocks.").and_then(|rest| rest.split('.').next());
                // Stable Diffusion 2 was trained on the penultimate layer, but its files have the last one, too.
                layer.is_none_or(|layer| layer.parse() == Ok(*layers))
            }
        }
    }
}

/// The possible names of a transformer's tensor in the authors' code, and its rows there.
///
/// See [`Original`].
fn transformer(name: &str, of: Original) -> (Vec<String>, Rows) {
    let original = name.rsplit_once('.').and_then(|(module, leaf)| {
        let (module, rows) = of.name(module)?;
        Some((module, leaf, rows))
    });
    match original {
        // ComfyUI saves norms of FLUX with the name that other models have.
        Some((module, "weight", rows))
            if of != Original::ZImage
                && (module.ends_with("_norm") || module.starts_with("distilled_guidance_layer.norms.")) =>
        {
            (vec![format!("{module}.weight"), format!("{module}.scale")], rows)
        }
        Some((module, leaf, rows)) => (vec![format!("{module}.{leaf}")], rows),
        None if name == "pos_embed.pos_embed" => (vec!["pos_embed".to_owned()], Rows::All),
        None => (vec![name.to_owned()], Rows::All),
    }
}

/// Whether an autoencoder's file may have an unused tensor of that name: part of the training loss.
pub(crate) fn is_spare_in_vae(name: &str) -> bool {
    !["encoder.", "decoder.", "quant_conv.", "post_quant_conv."].iter().any(|part| name.starts_with(part))
}

/// Whether a text encoder's file may have an unused tensor of that (transformers) name: CLIP's vision tower, a
/// projection, and values that are not weights.
pub(crate) fn is_spare_in_text_encoder(name: &str) -> bool {
    let name = name.strip_prefix("text_model.").unwrap_or(name);
    !["encoder.", "final_layer_norm.", "embeddings.token_embedding.", "embeddings.position_embedding."]
        .iter()
        .any(|part| name.starts_with(part))
}

type Name = Option<String>;

fn unet(words: &[&str], layers: usize) -> Vec<Name> {
    // The convolution after the last layer of a level has its own number in the down blocks, and shares the last
    // layer's number in the up blocks, after its attention if there is one.
    let level = |level: &str, layer: usize| Some(level.parse::<usize>().ok()? * (layers + 1) + layer);
    let layer = |word: &str| word.parse::<usize>().ok();
    let one = |name: Name| vec![name];
    match words {
        ["time_embedding", "linear_1", end] => one(Some(format!("time_embed.0.{end}"))),
        ["time_embedding", "linear_2", end] => one(Some(format!("time_embed.2.{end}"))),
        ["time_embedding", "cond_proj", end] => one(Some(format!("time_embed.cond_proj.{end}"))),
        ["add_embedding", "linear_1", end] => one(Some(format!("label_emb.0.0.{end}"))),
        ["add_embedding", "linear_2", end] => one(Some(format!("label_emb.0.2.{end}"))),
        ["conv_in", end] => one(Some(format!("input_blocks.0.0.{end}"))),
        ["conv_norm_out", end] => one(Some(format!("out.0.{end}"))),
        ["conv_out", end] => one(Some(format!("out.2.{end}"))),
        ["down_blocks", b, "downsamplers", "0", "conv", end] => {
            one(level(b, layers).map(|i| format!("input_blocks.{}.0.op.{end}", i + 1)))
        }
        ["up_blocks", b, "upsamplers", "0", "conv", end] => [2, 1]
            .map(|place| level(b, layers).map(|i| format!("output_blocks.{i}.{place}.conv.{end}")))
            .to_vec(),
        ["mid_block", "resnets", j @ ("0" | "1"), rest @ ..] => {
            let place = if *j == "0" { 0 } else { 2 };
            one(resnet(rest).map(|rest| format!("middle_block.{place}.{rest}")))
        }
        ["mid_block", "attentions", "0", rest @ ..] => {
            one(Some(format!("middle_block.1.{}", rest.join("."))))
        }
        [side @ ("down_blocks" | "up_blocks"), b, kind, j, rest @ ..] => one((|| {
            let i = level(b, layer(j)?)?;
            let block = match *side {
                "down_blocks" => format!("input_blocks.{}", i + 1),
                _ => format!("output_blocks.{i}"),
            };
            match *kind {
                "resnets" => Some(format!("{block}.0.{}", resnet(rest)?)),
                "attentions" => Some(format!("{block}.1.{}", rest.join("."))),
                _ => None,
            }
        })()),
        _ => one(None),
    }
}

fn resnet(words: &[&str]) -> Name {
    let [module, end] = words else { return None };
    let module = match *module {
        "norm1" => "in_layers.0",
        "conv1" => "in_layers.2",
        "time_emb_proj" => "emb_layers.1",
        "norm2" => "out_layers.0",
        "conv2" => "out_layers.3",
        "conv_shortcut" => "skip_connection",
        _ => return None,
    };
    Some(format!("{module}.{end}"))
}

/// The autoencoder of FLUX.2 has the convolutions of its quantisation in the encoder and the decoder.
fn vae_names(words: &[&str], levels: usize) -> Vec<Name> {
    match words {
        [conv @ "quant_conv", end] => vec![Some(format!("encoder.{conv}.{end}")), None],
        [conv @ "post_quant_conv", end] => vec![Some(format!("decoder.{conv}.{end}")), None],
        _ => vec![vae(words, levels)],
    }
}

fn vae(words: &[&str], levels: usize) -> Name {
    match words {
        [side, "conv_norm_out", end] => Some(format!("{side}.norm_out.{end}")),
        ["encoder", "down_blocks", b, "downsamplers", "0", "conv", end] => {
            Some(format!("encoder.down.{b}.downsample.conv.{end}"))
        }
        ["decoder", "up_blocks", b, "upsamplers", "0", "conv", end] => {
            Some(format!("decoder.up.{}.upsample.conv.{end}", from_finest(b, levels)?))
        }
        [side, "mid_block", "resnets", j, module, end] => {
            let block = j.parse::<usize>().ok()? + 1;
            Some(format!("{side}.mid.block_{block}.{}.{end}", shortcut(module)))
        }
        [side, "mid_block", "attentions", "0", rest @ ..] => {
            let module = match rest {
                ["group_norm", _] => "norm",
                ["to_q", _] => "q",
                ["to_k", _] => "k",
                ["to_v", _] => "v",
                ["to_out", "0", _] => "proj_out",
                _ => return None,
            };
            Some(format!("{side}.mid.attn_1.{module}.{}", rest[rest.len() - 1]))
        }
        ["encoder", "down_blocks", b, "resnets", j, module, end] => {
            Some(format!("encoder.down.{b}.block.{j}.{}.{end}", shortcut(module)))
        }
        ["decoder", "up_blocks", b, "resnets", j, module, end] => {
            let b = from_finest(b, levels)?;
            Some(format!("decoder.up.{b}.block.{j}.{}.{end}", shortcut(module)))
        }
        _ => None,
    }
}

fn from_finest(level: &str, levels: usize) -> Option<usize> {
    levels.checked_sub(level.parse::<usize>().ok()? + 1)
}

fn shortcut(module: &str) -> &str {
    if module == "conv_shortcut" { "nin_shortcut" } else { module }
}

/// The name, and which third of the tensor.
fn open_clip(words: &[&str]) -> (Name, Option<usize>) {
    let words = words.strip_prefix(&["text_model"]).unwrap_or(words);
    let whole = |name: String| (Some(name), None);
    match words {
        ["embeddings", "token_embedding", "weight"] => whole("token_embedding.weight".to_owned()),
        ["embeddings", "position_embedding", "weight"] => whole("positional_embedding".to_owned()),
        ["final_layer_norm", end] => whole(format!("ln_final.{end}")),
        ["text_projection", "weight"] => whole("text_projection".to_owned()),
        ["encoder", "layers", i, rest @ ..] => {
            let block = format!("transformer.resblocks.{i}");
            match rest {
                ["self_attn", "out_proj", end] => whole(format!("{block}.attn.out_proj.{end}")),
                ["self_attn", projection @ ("q_proj" | "k_proj" | "v_proj"), end] => {
                    let third = ["q_proj", "k_proj", "v_proj"].iter().position(|name| name == projection);
                    (Some(format!("{block}.attn.in_proj_{end}")), third)
                }
                ["layer_norm1", end] => whole(format!("{block}.ln_1.{end}")),
                ["layer_norm2", end] => whole(format!("{block}.ln_2.{end}")),
                ["mlp", "fc1", end] => whole(format!("{block}.mlp.c_fc.{end}")),
                ["mlp", "fc2", end] => whole(format!("{block}.mlp.c_proj.{end}")),
                _ => (None, None),
            }
        }
        _ => (None, None),
    }
}
