//! Which family's transformer a file has, by the names of its tensors.

use crate::weights::header::Header;
use crate::weights::original_names::Original;

/// None, ComfyUI's prefix of a transformer in a file with other parts, and that of Anima's authors.
const PREFIXES: [&str; 3] = ["", "model.diffusion_model.", "net."];

/// Families whose transformers have similar names, by a tensor that only they have.
const OTHERS: [(&str, &str); 1] =
    [("txt_in.individual_token_refiner.blocks.0.self_attn.qkv.weight", "HunyuanVideo")];

/// Relatives of Qwen-Image, by a tensor that it does not have.
const RELATIVES_OF_QWEN_IMAGE: [(&str, &str); 2] = [
    ("__index_timestep_zero__", "Qwen-Image-Edit"),
    ("time_text_embed.addition_t_embedding.weight", "Qwen-Image-Layered"),
];

/// The transformer in a file, and the prefix of its tensors; `None` if it has none of a supported family. The error says why
/// it is not supported although it is known.
pub(super) fn find(header: &Header) -> Result<Option<(Original, &'static str)>, String> {
    for prefix in PREFIXES {
        if let Some(of) = of(header, prefix)? {
            return Ok(Some((of, prefix)));
        }
    }
    Ok(None)
}

/// The name of a family in messages.
pub(super) fn name(of: Original) -> &'static str {
    match of {
        Original::ZImage => "Z-Image",
        Original::StableDiffusion3(_) => "Stable Diffusion 3",
        Original::Flux1 => "FLUX.1",
        Original::Flux2 => "FLUX.2 klein",
        Original::Chroma => "Chroma",
        Original::Anima => "Anima",
        Original::QwenImage => "Qwen-Image",
    }
}

fn of(header: &Header, prefix: &str) -> Result<Option<Original>, String> {
    let has = |name: &str| header.contains_key(&format!("{prefix}{name}"));
    let all = |names: &[&str]| names.iter().all(|name| has(name));
    if all(&["cap_embedder.1.weight", "noise_refiner.0.attention.qkv.weight", "cap_pad_token"]) {
        return Ok(Some(Original::ZImage));
    }
    if all(&["transformer_blocks.0.img_mod.1.weight", "txt_norm.weight", "proj_out.weight"]) {
        return match RELATIVES_OF_QWEN_IMAGE.iter().find(|(tensor, _)| has(tensor)) {
            Some((_, what)) => Err(format!("it looks like {what}, which is not supported")),
            None => Ok(Some(Original::QwenImage)),
        };
    }
    // ControlNets have blocks like these, but no last layer.
    if !has("final_layer.linear.weight") {
        return Ok(None);
    }
    if has("joint_blocks.0.x_block.attn.qkv.weight") {
        let blocks = (0..).take_while(|i| has(&format!("joint_blocks.{i}.x_block.attn.qkv.weight"))).count();
        return Ok(Some(Original::StableDiffusion3(blocks)));
    }
    if has("blocks.0.adaln_modulation_self_attn.1.weight") {
        return match has("llm_adapter.embed.weight") {
            true => Ok(Some(Original::Anima)),
            false => Err("it looks like Cosmos-Predict2, which is not supported".to_owned()),
        };
    }
    if let Some((_, what)) = OTHERS.iter().find(|(tensor, _)| has(tensor)) {
        return Err(format!("it looks like {what}, which is not supported"));
    }
    if !all(&["double_blocks.0.img_attn.qkv.weight", "img_in.weight", "txt_in.weight"]) {
        return Ok(None);
    }
    if has("distilled_guidance_layer.in_proj.weight") {
        return Ok(Some(Original::Chroma));
    }
    if has("double_stream_modulation_img.lin.weight") {
        if has("guidance_in.in_layer.weight") {
            return Err("it looks like FLUX.2-dev, whose text encoder (Mistral) is not supported".to_owned());
        }
        return Ok(Some(Original::Flux2));
    }
    Ok(has("vector_in.in_layer.weight").then_some(Original::Flux1))
}
