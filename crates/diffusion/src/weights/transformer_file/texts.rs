//! The configurations of text encoders in files of their own or in checkpoints, inferred from shapes.
//!
//! What shapes do not determine is taken from the published models, or from the header of a GGUF file, which states some.

use super::named::Named;
use serde_json::{Value, json};

/// Whether the projection of a text encoder is the identity, so that its file does not have it. Only configurations that are
/// inferred have this key.
pub(crate) const IDENTITY_PROJECTION: &str = "identity_projection";

/// `config.json` of a CLIP text encoder; `activation` is that between its layers.
pub(super) fn clip(named: &Named, activation: &str) -> Value {
    // Files from before transformers 5 have this prefix, as all published ones.
    let prefix = if named.has("text_model.final_layer_norm.weight") { "text_model." } else { "" };
    let length = |name: &str, axis: usize| named.length(&format!("{prefix}{name}"), axis);
    let width = length("embeddings.token_embedding.weight", 1);
    let projection = named.length("text_projection.weight", 0);
    json!({
        "architectures": ["CLIPTextModelWithProjection"],
        "hidden_act": activation,
        "hidden_size": width,
        "intermediate_size": length("encoder.layers.0.mlp.fc1.weight", 0),
        "max_position_embeddings": length("embeddings.position_embedding.weight", 0),
        // The heads of CLIP have 64 channels.
        "num_attention_heads": (width / 64).max(1),
        "num_hidden_layers": named.blocks(|i| format!("{prefix}encoder.layers.{i}.layer_norm1.weight")),
        "projection_dim": if projection > 0 { projection } else { width },
        IDENTITY_PROJECTION: projection == 0,
        "vocab_size": length("embeddings.token_embedding.weight", 0),
    })
}

/// `config.json` of T5's encoder, version 1.1.
pub(super) fn t5(named: &Named) -> Value {
    let attention = "encoder.block.0.layer.0.SelfAttention";
    let heads = named.length(&format!("{attention}.relative_attention_bias.weight"), 1);
    let eps = named.stated("t5.attention.layer_norm_epsilon", 1e-6);
    json!({
        "architectures": ["T5EncoderModel"],
        "d_ff": named.length("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 0),
        "d_kv": named.length(&format!("{attention}.q.weight"), 0).checked_div(heads),
        "d_model": named.length("shared.weight", 1),
        "feed_forward_proj": "gated-gelu",
        "layer_norm_epsilon": named.stated("t5encoder.attention.layer_norm_epsilon", eps),
        "num_heads": heads,
        "num_layers": named.blocks(|i| format!("encoder.block.{i}.layer.0.layer_norm.weight")),
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": named.length(&format!("{attention}.relative_attention_bias.weight"), 0),
        "vocab_size": named.length("shared.weight", 0),
    })
}

/// `config.json` of Anima's text conditioner.
pub(super) fn conditioner(named: &Named) -> Value {
    let inner = named.length("blocks.0.self_attn.q_proj.weight", 0);
    let depth = named.length("blocks.0.self_attn.q_norm.weight", 0);
    json!({
        "_class_name": "AnimaTextConditioner",
        "min_sequence_length": 512,
        "mlp_ratio": named.length("blocks.0.mlp.0.weight", 0) as f64 / (inner.max(1)) as f64,
        "model_dim": inner,
        "num_attention_heads": inner.checked_div(depth),
        "num_layers": named.blocks(|i| format!("blocks.{i}.self_attn.q_norm.weight")),
        "source_dim": named.length("blocks.0.cross_attn.k_proj.weight", 1),
        "target_dim": named.length("embed.weight", 1),
        "target_vocab_size": named.length("embed.weight", 0),
    })
}

/// `config.json` of Qwen3.
pub(super) fn qwen3(named: &Named) -> Value {
    let mut config = qwen(named, "qwen3", None);
    config["architectures"] = json!(["Qwen3Model"]);
    config
}

/// `config.json` of Qwen2.5-VL, whose heads have 128 channels in all of its sizes.
pub(super) fn qwen2_5_vl(named: &Named) -> Value {
    let mut config = qwen(named, "qwen2vl", Some(128));
    config["architectures"] = json!(["Qwen2_5_VLForConditionalGeneration"]);
    config["model_type"] = json!("qwen2_5_vl");
    config
}

/// That of a Qwen model whose heads have `depth` channels, or as many as their norms; GGUF files state some values under the name
/// of its architecture.
fn qwen(named: &Named, architecture: &str, depth: Option<usize>) -> Value {
    let parts = ["model.", "model.language_model."].into_iter();
    let prefix =
        parts.into_iter().find(|part| named.has(&format!("{part}embed_tokens.weight"))).unwrap_or("");
    let length = |name: &str, axis: usize| named.length(&format!("{prefix}{name}"), axis);
    let depth = depth.unwrap_or_else(|| length("layers.0.self_attn.q_norm.weight", 0));
    let heads = |name: &str| length(name, 0).checked_div(depth).unwrap_or(0);
    let theta = named.stated(&format!("{architecture}.rope.freq_base"), 1e6);
    json!({
        "head_dim": depth,
        "hidden_size": length("embed_tokens.weight", 1),
        "intermediate_size": length("layers.0.mlp.gate_proj.weight", 0),
        "num_attention_heads": heads("layers.0.self_attn.q_proj.weight"),
        "num_hidden_layers": named.blocks(|i| format!("{prefix}layers.{i}.input_layernorm.weight")),
        "num_key_value_heads": heads("layers.0.self_attn.k_proj.weight"),
        "rms_norm_eps": named.stated(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-6),
        "rope_theta": if theta.fract() == 0.0 { json!(theta as u64) } else { json!(theta) },
        "vocab_size": length("embed_tokens.weight", 0),
    })
}
