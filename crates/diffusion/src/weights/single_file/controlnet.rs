//! A ControlNet in one file: under its author's names (lllyasviel's `cldm`) or diffusers', its configuration inferred.
//!
//! Source: `convert_controlnet_checkpoint` of diffusers' `single_file_utils.py`.

use super::infer::count;
use super::names::Part;
use crate::weights::header::Header;
use serde_json::{Value, json};

/// The prefix of a ControlNet's tensors in its author's files; other files have none.
const PREFIX: &str = "control_model.";

/// The tensors of a ControlNet, or why there are none.
pub(super) fn part(header: &Header) -> Result<Part, String> {
    if header.contains_key("controlnet_cond_embedding.conv_in.weight") {
        return Ok(Part::Plain);
    }
    let has = |prefix: &&str| header.contains_key(&format!("{prefix}input_hint_block.0.weight"));
    let Some(prefix) = [PREFIX, ""].into_iter().find(has) else {
        let names = "`control_model.input_hint_block.0.weight` or `controlnet_cond_embedding.conv_in.weight`";
        let what = match header.keys().any(|key| key.starts_with("lora_") || key.contains("lora_controlnet"))
        {
            true => "it looks like a LoRA; use it with `lora`".to_owned(),
            false => format!("it has no tensor {names}"),
        };
        return Err(what);
    };
    let blocks = count(header, &format!("{prefix}input_blocks."));
    let is_downsampler = |i: &usize| header.contains_key(&format!("{prefix}input_blocks.{i}.0.op.weight"));
    let layers = (1..blocks).find(is_downsampler).unwrap_or(blocks).saturating_sub(1);
    // The convolutions have even numbers: the first, one for each block, the last.
    let hints =
        (count(header, &format!("{prefix}input_hint_block.")).saturating_sub(1) / 2).saturating_sub(1);
    Ok(Part::ControlNet { prefix: prefix.to_owned(), layers, hints })
}

/// Its configuration, or what is missing to infer it.
pub(super) fn config(header: &Header, part: &Part) -> Result<Value, String> {
    let shape = |name: String| part.place(&name).keys.iter().find_map(|key| header.shape(key));
    let length = |name: String, axis: usize| shape(name).and_then(|shape| shape.get(axis).copied());
    let known = |is: &dyn Fn(usize) -> bool| (0..).take_while(|&i| is(i)).count();
    let resnet = |i: usize, j: usize| format!("down_blocks.{i}.resnets.{j}.conv2.weight");
    let block = |i: usize, j: usize| format!("down_blocks.{i}.attentions.{j}.transformer_blocks");
    let levels = match part {
        Part::ControlNet { layers, prefix, .. } => {
            count(header, &format!("{prefix}input_blocks.")).div_ceil(layers + 1).max(1)
        }
        _ => known(&|i| shape(resnet(i, 0)).is_some()),
    };
    let levels = (0..levels).filter(|&i| shape(resnet(i, 0)).is_some()).count();
    let widths: Vec<usize> = (0..levels).filter_map(|i| length(resnet(i, 0), 0)).collect();
    let depths: Vec<usize> = (0..levels)
        .map(|i| known(&|d| shape(format!("{}.{d}.attn2.to_k.weight", block(i, 0))).is_some()))
        .collect();
    let Some(attends) = depths.iter().position(|&depth| depth > 0) else {
        return Err(
            "it has no attention, so that its text is unknown; put its config.json beside it".to_owned()
        );
    };
    let text_width = length(format!("{}.0.attn2.to_k.weight", block(attends, 0)), 1).unwrap_or(0);
    let kinds: Vec<&str> =
        depths.iter().map(|&depth| if depth > 0 { "CrossAttnDownBlock2D" } else { "DownBlock2D" }).collect();
    let proj_in = shape(format!("down_blocks.{attends}.attentions.0.proj_in.weight"));
    let hints = known(&|i| shape(format!("controlnet_cond_embedding.blocks.{}.weight", 2 * i)).is_some());
    let hint = |i: usize| match i {
        0 => length("controlnet_cond_embedding.conv_in.weight".to_owned(), 0),
        i => length(format!("controlnet_cond_embedding.blocks.{}.weight", 2 * i - 1), 0),
    };
    let mut config = json!({
        "_class_name": "ControlNetModel",
        "in_channels": length("conv_in.weight".to_owned(), 1),
        "block_out_channels": widths,
        "layers_per_block": known(&|j| shape(resnet(0, j)).is_some()),
        "down_block_types": kinds,
        "transformer_layers_per_block": depths.iter().map(|&depth| depth.max(1)).collect::<Vec<_>>(),
        "cross_attention_dim": text_width,
        // Of the published models: 8 heads in Stable Diffusion 1, heads of 64 channels in the others.
        "attention_head_dim": match text_width {
            768 => json!(8),
            _ => json!(widths.iter().map(|width| (width / 64).max(1)).collect::<Vec<_>>()),
        },
        "use_linear_projection": proj_in.map(|shape| shape.len() == 2),
        "conditioning_embedding_out_channels": (0..=hints).filter_map(hint).collect::<Vec<_>>(),
    });
    if let Some(width) = length("add_embedding.linear_1.weight".to_owned(), 1) {
        config["addition_embed_type"] = json!("text_time");
        config["addition_time_embed_dim"] = json!(256);
        config["projection_class_embeddings_input_dim"] = json!(width);
    }
    Ok(config)
}
