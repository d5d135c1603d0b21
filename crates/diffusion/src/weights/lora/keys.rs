//! Parses the keys of a LoRA file: which module, and which of its factors.
//!
//! The suffixes are those of kohya's trainer, of peft and of all versions of diffusers. Not here: which layer of a model
//! the module is (`names.rs`).

/// One of a module's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    /// From the layer's inputs to the rank.
    Down,
    /// Between the two, in convolutions with three factors (Tucker, or "CP", decomposition).
    Mid,
    /// From the rank to the layer's outputs.
    Up,
    /// The number that, divided by the rank, scales the product.
    Alpha,
}

const ENDINGS: [(&str, Factor); 14] = [
    (".lora_down.weight", Factor::Down),
    (".lora_up.weight", Factor::Up),
    (".lora_mid.weight", Factor::Mid),
    (".lora_A.weight", Factor::Down),
    (".lora_B.weight", Factor::Up),
    (".lora.down.weight", Factor::Down),
    (".lora.up.weight", Factor::Up),
    (".lora_linear_layer.down.weight", Factor::Down),
    (".lora_linear_layer.up.weight", Factor::Up),
    ("_lora.down.weight", Factor::Down),
    ("_lora.up.weight", Factor::Up),
    (".lora_linear_layer.alpha", Factor::Alpha),
    (".lora.alpha", Factor::Alpha),
    (".alpha", Factor::Alpha),
];

/// Parts of keys that identify other kinds than LoRA, with their names (LyCORIS, `lycoris/modules`; peft, `tuners`).
const OTHER_KINDS: [(&str, &str); 10] = [
    (".hada_", "a LoHa"),
    (".lokr_", "a LoKr"),
    (".dora_scale", "a DoRA"),
    (".lora_magnitude_vector", "a DoRA"),
    (".oft_", "an OFT"),
    (".on_input", "an IA3"),
    (".diff_b", "a full difference"),
    (".diff", "a full difference"),
    (".w_norm", "a LyCORIS norm"),
    (".b_norm", "a LyCORIS norm"),
];

/// Module and factor of a key; `None` if it has no suffix of a LoRA.
pub(super) fn parse(key: &str) -> Option<(&str, Factor)> {
    ENDINGS.iter().find_map(|(ending, factor)| Some((key.strip_suffix(ending)?, *factor)))
}

/// The unsupported kind of file that has such a key, if any.
pub(super) fn other_kind(key: &str) -> Option<&'static str> {
    OTHER_KINDS.iter().find(|(mark, _)| key.contains(mark)).map(|(_, kind)| *kind)
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
        check("a.weight", None);
        check("a.lora_B.bias", None);
        assert_eq!(other_kind("a.hada_w1_a"), Some("a LoHa"));
        assert_eq!(other_kind("a.lora_down.weight"), None);
    }
}
