//! Parses the keys of a LoRA file: which module, and which of its factors.
//!
//! The suffixes are those of kohya's trainer, of LyCORIS, of peft and of all versions of diffusers. Not here: which layer
//! of a model the module is (`names.rs`).

/// One of a module's tensors. Names and shapes are those of `lycoris/modules` and of peft's `tuners`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Factor {
    /// LoRA: from the layer's inputs to the rank.
    Down,
    /// Between the two, in convolutions with three factors (Tucker, or "CP", decomposition).
    Mid,
    /// From the rank to the layer's outputs.
    Up,
    /// A bias of `Up`.
    UpBias,
    /// LoHa: the elementwise product of `W1A W1B` and `W2A W2B`, each with a core in Tucker decomposition.
    HadaW1A,
    HadaW1B,
    HadaT1,
    HadaW2A,
    HadaW2B,
    HadaT2,
    /// LoKr: the Kronecker product of `W1` and `W2`, each of which may be a product.
    LokrW1,
    LokrW1A,
    LokrW1B,
    LokrW2,
    LokrW2A,
    LokrW2B,
    LokrT2,
    /// The difference of the whole weight, also of a norm's.
    Diff,
    /// The difference of the bias.
    DiffB,
    /// The number that, divided by the rank, scales the product.
    Alpha,
    /// DoRA: the norms of the changed weight's rows or columns, in LyCORIS.
    DoraScale,
    /// The same in peft.
    Magnitude,
}

const ENDINGS: [(&str, Factor); 35] = [
    (".lora_down.weight", Factor::Down),
    (".lora_up.weight", Factor::Up),
    (".lora_mid.weight", Factor::Mid),
    (".lora_A.weight", Factor::Down),
    (".lora_B.weight", Factor::Up),
    (".lora_B.bias", Factor::UpBias),
    (".lora.down.weight", Factor::Down),
    (".lora.up.weight", Factor::Up),
    (".lora_linear_layer.down.weight", Factor::Down),
    (".lora_linear_layer.up.weight", Factor::Up),
    ("_lora.down.weight", Factor::Down),
    ("_lora.up.weight", Factor::Up),
    (".lora_linear_layer.alpha", Factor::Alpha),
    (".lora.alpha", Factor::Alpha),
    (".alpha", Factor::Alpha),
    (".dora_scale", Factor::DoraScale),
    (".lora_magnitude_vector.weight", Factor::Magnitude),
    (".lora_magnitude_vector", Factor::Magnitude),
    (".hada_w1_a", Factor::HadaW1A),
    (".hada_w1_b", Factor::HadaW1B),
    (".hada_t1", Factor::HadaT1),
    (".hada_w2_a", Factor::HadaW2A),
    (".hada_w2_b", Factor::HadaW2B),
    (".hada_t2", Factor::HadaT2),
    (".lokr_w1", Factor::LokrW1),
    (".lokr_w1_a", Factor::LokrW1A),
    (".lokr_w1_b", Factor::LokrW1B),
    (".lokr_w2", Factor::LokrW2),
    (".lokr_w2_a", Factor::LokrW2A),
    (".lokr_w2_b", Factor::LokrW2B),
    (".lokr_t2", Factor::LokrT2),
    (".diff", Factor::Diff),
    (".diff_b", Factor::DiffB),
    (".w_norm", Factor::Diff),
    (".b_norm", Factor::DiffB),
];

/// Parts of keys that identify what is not supported (LyCORIS, `lycoris/modules`; peft, `tuners`; ComfyUI,
/// `comfy/weight_adapter`).
const UNSUPPORTED: [(&str, &str); 13] = [
    (".oft_", "part of an OFT"),
    (".boft_", "part of a BOFT"),
    (".on_input", "part of an IA3"),
    (".ia3_", "part of an IA3"),
    (".a1.weight", "part of a GLoRA"),
    (".b1.weight", "part of a GLoRA"),
    (".lora_E", "part of an AdaLoRA"),
    (".vera_lambda_", "part of a VeRA"),
    ("lora_embedding_", "a change of an embedding table"),
    ("token_embedding.", "a change of an embedding table"),
    ("position_embedding.", "a change of an embedding table"),
    (".set_weight", "a replacement of a weight"),
    (".reshape_weight", "a change of a layer's shape"),
];

/// The prefix of the embeddings in a LoRA (A1111's "bundled" textual inversions, which OneTrainer writes).
const BUNDLE: &str = "bundle_emb.";

/// Module and factor of a key; `None` if it has no known suffix.
pub(super) fn parse(key: &str) -> Option<(&str, Factor)> {
    ENDINGS.iter().find_map(|(ending, factor)| Some((key.strip_suffix(ending)?, *factor)))
}

/// What a key is, if that is known and not supported.
pub(super) fn unsupported(key: &str) -> Option<&'static str> {
    UNSUPPORTED.iter().find(|(mark, _)| key.contains(mark)).map(|(_, kind)| *kind)
}

/// The word of an embedding in a LoRA, and the name of its tensor in a file of a textual inversion.
///
/// As A1111 reads it (`extensions-builtin/Lora/networks.py`): `bundle_emb.word.string_to_param.*` or
/// `bundle_emb.word.clip_l`.
pub(super) fn embedding(key: &str) -> Option<(&str, &str)> {
    let (word, tensor) = key.strip_prefix(BUNDLE)?.split_once('.')?;
    Some((word, tensor.strip_prefix("string_to_param.").unwrap_or(tensor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parsed() {
        let check = |key: &str, expected: Option<(&str, Factor)>| assert_eq!(parse(key), expected, "{key}");
        check("lora_unet_conv_in.lora_down.weight", Some(("lora_unet_conv_in", Factor::Down)));
        check("lora_unet_conv_in.alpha", Some(("lora_unet_conv_in", Factor::Alpha)));
        check("unet.conv_in.lora_B.weight", Some(("unet.conv_in", Factor::Up)));
        check("a.processor.to_q_lora.down.weight", Some(("a.processor.to_q", Factor::Down)));
        check("a.q_proj.lora_linear_layer.up.weight", Some(("a.q_proj", Factor::Up)));
        check("a.to_k.lora.down.weight", Some(("a.to_k", Factor::Down)));
        check("a.lora_mid.weight", Some(("a", Factor::Mid)));
        check("a.lokr_w2_a", Some(("a", Factor::LokrW2A)));
        check("a.hada_t1", Some(("a", Factor::HadaT1)));
        check("a.diff_b", Some(("a", Factor::DiffB)));
        check("a.norm1.w_norm", Some(("a.norm1", Factor::Diff)));
        check("a.lora_magnitude_vector", Some(("a", Factor::Magnitude)));
        check("a.weight", None);
        check("a.lora_A.bias", None);
    }

    #[test]
    fn what_is_not_supported_has_a_name() {
        let check = |key: &str, expected: Option<&str>| assert_eq!(unsupported(key), expected, "{key}");
        check("a.oft_blocks", Some("part of an OFT"));
        check("a.on_input", Some("part of an IA3"));
        check("lora_te_text_model_embeddings_token_embedding.diff", Some("a change of an embedding table"));
        check("a.lora_down.weight", None);
        check("a.hada_w1_a", None);
    }

    #[test]
    fn embeddings_are_parsed() {
        assert_eq!(embedding("bundle_emb.hat.string_to_param.*"), Some(("hat", "*")));
        assert_eq!(embedding("bundle_emb.<hat>.clip_g"), Some(("<hat>", "clip_g")));
        assert_eq!(embedding("lora_unet_conv_in.alpha"), None);
    }
}
