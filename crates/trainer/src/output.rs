//! The trained weights as a file that Maquette, diffusers, A1111 and ComfyUI read.
//!
//! - LoRA: kohya's names, `lora_unet_…` and `lora_te_…`, with an `alpha` for each layer.
//! - Textual inversion: diffusers' form, one tensor under the word; for SDXL `clip_l` and `clip_g`, as everywhere.
//! - DreamBooth: LyCORIS' full differences, `.diff` and `.diff_b`, which at weight 1 give the trained model. diffusers does not
//!   read these.
//!
//! Everything is in f32.

use crate::metadata::metadata;
use crate::network::Network;
use crate::parameters::{Parameters, is_text, layers};
use crate::safetensors_file;
use candle_core::{Device, Result, Tensor};
use maquette_core::{Training, TrainingMethod};
use maquette_diffusion::LoraTarget;
use std::collections::BTreeMap;

/// The file of the weights after `step` steps.
pub(crate) fn weights(
    training: &Training,
    network: &Network,
    parameters: &Parameters,
    step: u32,
) -> Result<Vec<u8>> {
    let tensors = match training.method {
        TrainingMethod::Lora => lora(training, network, parameters)?,
        TrainingMethod::TextualInversion => inversion(training, parameters),
        TrainingMethod::Dreambooth => differences(network, parameters)?,
    };
    safetensors_file::bytes(&tensors, &metadata(training, network, step))
}

fn lora(training: &Training, network: &Network, parameters: &Parameters) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (name, layer) in layers(training, network.layers()) {
        let stem = kohya_name(name, network);
        let factor = |which: &str| parameters.all[&format!("{name}.{which}")].as_tensor().clone();
        let (mut down, mut up) = (factor("lora_down"), factor("lora_up"));
        if layer.is_pointwise {
            down = down.reshape((down.dim(0)?, layer.inputs, 1, 1))?;
        }
        if layer.is_pointwise || layer.kernel.is_some() {
            up = up.reshape((layer.outputs, up.dim(1)?, 1, 1))?;
        }
        tensors.insert(format!("{stem}.lora_down.weight"), down);
        tensors.insert(format!("{stem}.lora_up.weight"), up);
        tensors.insert(format!("{stem}.alpha"), Tensor::new(training.alpha as f32, &Device::Cpu)?);
    }
    Ok(tensors)
}

fn inversion(training: &Training, parameters: &Parameters) -> BTreeMap<String, Tensor> {
    let names = match parameters.all.len() {
        1 => vec![training.word.as_str()],
        _ => vec!["clip_l", "clip_g"],
    };
    let vectors = parameters.all.values().map(|var| var.as_tensor().clone());
    names.into_iter().map(str::to_owned).zip(vectors).collect()
}

fn differences(network: &Network, parameters: &Parameters) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (name, var) in &parameters.all {
        let difference = (var.as_tensor() - &parameters.before[name])?;
        let Some((module, parameter)) = name.rsplit_once('.') else { continue };
        let stem = kohya_name(module, network);
        let layer = network.layers().get(module);
        let (key, difference) = match (parameter, layer) {
            ("bias", Some(_)) => ("diff_b", difference),
            ("bias", None) => ("b_norm", difference),
            (_, Some(layer)) => ("diff", as_in_files(layer, &difference)?),
            (_, None) => ("w_norm", difference),
        };
        tensors.insert(format!("{stem}.{key}"), difference);
    }
    Ok(tensors)
}

/// A difference of a layer's weight in the layout of files.
fn as_in_files(layer: &LoraTarget, difference: &Tensor) -> Result<Tensor> {
    match (layer.kernel, layer.is_pointwise) {
        (Some(_), _) => Ok(difference.clone()),
        (None, false) => difference.t()?.contiguous(),
        (None, true) => difference.t()?.contiguous()?.reshape((layer.outputs, layer.inputs, 1, 1)),
    }
}

/// The name of a layer or norm in kohya's files: `unet.conv_in` is `lora_unet_conv_in`.
fn kohya_name(name: &str, network: &Network) -> String {
    let (part, module) = name.split_once('.').unwrap_or(("unet", name));
    let prefix = match (part, network) {
        ("text_encoder", Network::StableDiffusion(_)) => "lora_te_text_model",
        ("text_encoder", Network::Sdxl(_)) => "lora_te1_text_model",
        _ if is_text(part) => "lora_te2_text_model",
        _ => "lora_unet",
    };
    format!("{prefix}_{}", module.replace('.', "_"))
}
