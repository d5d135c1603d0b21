//! The configurations of transformers and of their schedulers, inferred from shapes.
//!
//! What shapes do not determine is taken from the published models.

use super::named::Named;
use crate::weights::original_names::Original;
use serde_json::{Value, json};

/// `transformer/config.json`.
pub(super) fn transformer(named: &Named, of: Original) -> Value {
    match of {
        Original::ZImage => z_image(named),
        Original::StableDiffusion3(_) => stable_diffusion_3(named),
        Original::Flux1 => flux1(named),
        Original::Chroma => chroma(named),
        Original::Flux2 => flux2(named),
        Original::Anima => anima(named),
        Original::QwenImage => qwen_image(named),
    }
}

/// `scheduler/scheduler_config.json`: those of Z-Image-Turbo, Stable Diffusion 3.5, FLUX.1 dev or schnell, FLUX.2 klein,
/// Chroma1-HD, Anima, and Qwen-Image.
pub(super) fn scheduler(named: &Named, of: Original) -> Value {
    let is_dynamic = match of {
        Original::ZImage | Original::StableDiffusion3(_) | Original::Chroma | Original::Anima => false,
        Original::Flux1 => embeds_guidance(named),
        Original::Flux2 | Original::QwenImage => true,
    };
    let is_schnell = of == Original::Flux1 && !is_dynamic;
    let mut config = json!({
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": if is_schnell { 1.0 } else { 3.0 },
        "use_dynamic_shifting": is_dynamic,
    });
    if is_dynamic {
        config["base_image_seq_len"] = json!(256);
        config["max_image_seq_len"] = json!(4096);
        config["base_shift"] = json!(0.5);
        config["max_shift"] = json!(1.15);
    }
    if of == Original::QwenImage {
        config["max_image_seq_len"] = json!(8192);
        config["max_shift"] = json!(0.9);
        config["shift"] = json!(1.0);
        config["shift_terminal"] = json!(0.02);
    }
    config
}

/// Whether the guidance scale is an input of FLUX's transformer.
fn embeds_guidance(named: &Named) -> bool {
    named.has("time_text_embed.guidance_embedder.linear_1.weight")
}

fn z_image(named: &Named) -> Value {
    let width = named.length("all_x_embedder.2-1.weight", 0);
    let depth = named.length("layers.0.attention.norm_q.weight", 0);
    let heads = width.checked_div(depth).unwrap_or(0);
    json!({
        "_class_name": "ZImageTransformer2DModel",
        "in_channels": named.length("all_x_embedder.2-1.weight", 1) / 4,
        "dim": width,
        "n_layers": named.blocks(|i| format!("layers.{i}.attention.norm_q.weight")),
        "n_refiner_layers": named.blocks(|i| format!("noise_refiner.{i}.attention.norm_q.weight")),
        "n_heads": heads,
        "n_kv_heads": heads,
        "cap_feat_dim": named.length("cap_embedder.1.weight", 1),
        // Those of the published model, in proportion.
        "axes_dims": [depth / 4, depth * 3 / 8, depth * 3 / 8],
        "axes_lens": [1536, 512, 512],
    })
}

fn stable_diffusion_3(named: &Named) -> Value {
    let width = named.length("pos_embed.proj.weight", 0);
    let normalised = named.length("transformer_blocks.0.attn.norm_q.weight", 0);
    // Without norms of queries, heads have 64 channels in every published model.
    let depth = if normalised > 0 { normalised } else { 64 };
    let blocks = named.blocks(|i| format!("transformer_blocks.{i}.attn.to_q.weight"));
    let dual = (0..blocks).filter(|i| named.has(&format!("transformer_blocks.{i}.attn2.to_q.weight")));
    // GGUF files may lack the first axis, of one.
    let axis = usize::from(named.length("pos_embed.pos_embed", 2) > 0);
    let positions = named.length("pos_embed.pos_embed", axis);
    json!({
        "_class_name": "SD3Transformer2DModel",
        "attention_head_dim": depth,
        "caption_projection_dim": width,
        "dual_attention_layers": dual.collect::<Vec<_>>(),
        "in_channels": named.length("pos_embed.proj.weight", 1),
        "joint_attention_dim": named.length("context_embedder.weight", 1),
        "num_attention_heads": width / depth,
        "num_layers": blocks,
        "out_channels": named.length("pos_embed.proj.weight", 1),
        "patch_size": named.length("pos_embed.proj.weight", 2),
        "pooled_projection_dim": named.length("time_text_embed.text_embedder.linear_1.weight", 1),
        "pos_embed_max_size": positions.isqrt(),
        "qk_norm": if normalised > 0 { json!("rms_norm") } else { Value::Null },
        "sample_size": 128,
    })
}

fn chroma(named: &Named) -> Value {
    let mut config = flux1(named);
    let approximator = "distilled_guidance_layer";
    config["_class_name"] = json!("ChromaTransformer2DModel");
    config["approximator_num_channels"] = json!(named.length(&format!("{approximator}.in_proj.weight"), 1));
    config["approximator_hidden_dim"] = json!(named.length(&format!("{approximator}.in_proj.weight"), 0));
    config["approximator_layers"] = json!(named.blocks(|i| format!("{approximator}.norms.{i}.weight")));
    config
}

fn flux1(named: &Named) -> Value {
    let width = named.length("x_embedder.weight", 0);
    let depth = named.length("transformer_blocks.0.attn.norm_q.weight", 0);
    json!({
        "_class_name": "FluxTransformer2DModel",
        "attention_head_dim": depth,
        // Those of the published model, in proportion.
        "axes_dims_rope": [depth / 8, depth * 7 / 16, depth * 7 / 16],
        "guidance_embeds": embeds_guidance(named),
        "in_channels": named.length("x_embedder.weight", 1),
        "joint_attention_dim": named.length("context_embedder.weight", 1),
        "num_attention_heads": width.checked_div(depth).unwrap_or(0),
        "num_layers": named.blocks(|i| format!("transformer_blocks.{i}.attn.norm_q.weight")),
        "num_single_layers": named.blocks(|i| format!("single_transformer_blocks.{i}.attn.norm_q.weight")),
        "out_channels": named.length("proj_out.weight", 0),
        "patch_size": 1,
        "pooled_projection_dim": named.length("time_text_embed.text_embedder.linear_1.weight", 1),
    })
}

fn qwen_image(named: &Named) -> Value {
    let width = named.length("img_in.weight", 0);
    let depth = named.length("transformer_blocks.0.attn.norm_q.weight", 0);
    let channels = named.length("img_in.weight", 1);
    json!({
        "_class_name": "QwenImageTransformer2DModel",
        "attention_head_dim": depth,
        // Those of the published model, in proportion.
        "axes_dims_rope": [depth / 8, depth * 7 / 16, depth * 7 / 16],
        "guidance_embeds": false,
        "in_channels": channels,
        "joint_attention_dim": named.length("txt_in.weight", 1),
        "num_attention_heads": width.checked_div(depth).unwrap_or(0),
        "num_layers": named.blocks(|i| format!("transformer_blocks.{i}.attn.norm_q.weight")),
        "out_channels": channels / 4,
        "patch_size": 2,
    })
}

fn flux2(named: &Named) -> Value {
    let width = named.length("x_embedder.weight", 0);
    let depth = named.length("transformer_blocks.0.attn.norm_q.weight", 0);
    // Gate and values are one tensor.
    let inner = named.length("transformer_blocks.0.ff.linear_in.weight", 0) / 2;
    json!({
        "_class_name": "Flux2Transformer2DModel",
        "attention_head_dim": depth,
        "axes_dims_rope": vec![depth / 4; 4],
        "eps": 1e-6,
        "guidance_embeds": false,
        "in_channels": named.length("x_embedder.weight", 1),
        "joint_attention_dim": named.length("context_embedder.weight", 1),
        "mlp_ratio": inner as f64 / (width.max(1)) as f64,
        "num_attention_heads": width.checked_div(depth).unwrap_or(0),
        "num_layers": named.blocks(|i| format!("transformer_blocks.{i}.attn.norm_q.weight")),
        "num_single_layers": named.blocks(|i| format!("single_transformer_blocks.{i}.attn.norm_q.weight")),
        "out_channels": Value::Null,
        "patch_size": 1,
        "rope_theta": 2000,
        "timestep_guidance_channels": 256,
    })
}

fn anima(named: &Named) -> Value {
    let width = named.length("patch_embed.proj.weight", 0);
    let depth = named.length("transformer_blocks.0.attn1.norm_q.weight", 0);
    let channels = named.length("proj_out.weight", 0) / 4;
    let inner = named.length("transformer_blocks.0.ff.net.0.proj.weight", 0);
    json!({
        "_class_name": "CosmosTransformer3DModel",
        "adaln_lora_dim": named.length("transformer_blocks.0.norm1.linear_1.weight", 0),
        "attention_head_dim": depth,
        "concat_padding_mask": named.length("patch_embed.proj.weight", 1) == 4 * (channels + 1),
        "extra_pos_embed_type": Value::Null,
        "in_channels": channels,
        "max_size": [128, 240, 240],
        "mlp_ratio": inner as f64 / (width.max(1)) as f64,
        "num_attention_heads": width.checked_div(depth).unwrap_or(0),
        "num_layers": named.blocks(|i| format!("transformer_blocks.{i}.attn1.norm_q.weight")),
        "out_channels": channels,
        "patch_size": [1, 2, 2],
        "rope_scale": [1.0, 4.0, 4.0],
        "text_embed_dim": named.length("transformer_blocks.0.attn2.to_k.weight", 1),
    })
}
