//! The names of text encoders' tensors in GGUF files, which are those of llama.cpp, by their names in transformers.
//!
//! The names are those of `tensor_mapping.py` in llama.cpp's package `gguf`. Rows are where transformers has them: only models
//! with the rotations of Llama have them in another order. Not here: transformers (`original_names.rs`).

/// A text encoder in GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LlamaCpp {
    /// The encoder of T5.
    T5,
    Qwen3,
    /// The language model of Qwen2.5-VL: the same names, other tensors.
    Qwen25Vl,
}

type Table = &'static [(&'static str, &'static str)];

/// How modules of a layer begin: transformers' names, and llama.cpp's.
const T5_BLOCK: (&str, &str) = ("encoder.block.", "enc.blk.");
const T5_LAYER: Table = &[
    ("layer.0.layer_norm", "attn_norm"),
    ("layer.0.SelfAttention.q", "attn_q"),
    ("layer.0.SelfAttention.k", "attn_k"),
    ("layer.0.SelfAttention.v", "attn_v"),
    ("layer.0.SelfAttention.o", "attn_o"),
    ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"),
    ("layer.1.layer_norm", "ffn_norm"),
    ("layer.1.DenseReluDense.wi_0", "ffn_gate"),
    ("layer.1.DenseReluDense.wi_1", "ffn_up"),
    ("layer.1.DenseReluDense.wo", "ffn_down"),
];
const T5_OUTSIDE: Table = &[("shared", "token_embd"), ("encoder.final_layer_norm", "enc.output_norm")];

const QWEN3_BLOCK: (&str, &str) = ("layers.", "blk.");
const QWEN3_LAYER: Table = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];
const QWEN3_OUTSIDE: Table =
    &[("embed_tokens", "token_embd"), ("norm", "output_norm"), ("lm_head", "output")];

impl LlamaCpp {
    /// The text encoder whose tensors have these names; `None` for other files.
    pub fn of(has: impl Fn(&str) -> bool) -> Option<LlamaCpp> {
        let known = [
            ("enc.blk.0.attn_rel_b.weight", LlamaCpp::T5),
            ("blk.0.attn_q_norm.weight", LlamaCpp::Qwen3),
            ("blk.0.attn_q.bias", LlamaCpp::Qwen25Vl),
        ];
        known.into_iter().find(|(name, _)| has(name)).map(|(_, encoder)| encoder)
    }

    /// llama.cpp's name of a tensor.
    pub fn name(self, name: &str) -> Option<String> {
        self.translated(name.strip_prefix("model.").unwrap_or(name), |(ours, theirs)| (ours, theirs))
    }

    /// The name in transformers of a tensor that llama.cpp calls `key`.
    pub fn original(self, key: &str) -> Option<String> {
        self.translated(key, |(ours, theirs)| (theirs, ours))
    }

    /// Translates with each pair of the tables in the order that `from_to` gives it.
    fn translated<'a>(
        self,
        name: &str,
        from_to: impl Fn((&'a str, &'a str)) -> (&'a str, &'a str),
    ) -> Option<String> {
        let (block, layer, outside) = match self {
            LlamaCpp::T5 => (T5_BLOCK, T5_LAYER, T5_OUTSIDE),
            LlamaCpp::Qwen3 | LlamaCpp::Qwen25Vl => (QWEN3_BLOCK, QWEN3_LAYER, QWEN3_OUTSIDE),
        };
        let (module, leaf) = name.rsplit_once('.')?;
        let find = |table: Table, module: &str| {
            table.iter().map(|pair| from_to(*pair)).find(|(from, _)| *from == module).map(|(_, to)| to)
        };
        let (from, to) = from_to(block);
        let inner = module.strip_prefix(from).and_then(|rest| rest.split_once('.'));
        match inner {
            Some((number, inner)) => {
                number.parse::<usize>().ok()?;
                Some(format!("{to}{number}.{}.{leaf}", find(layer, inner)?))
            }
            None => Some(format!("{}.{leaf}", find(outside, module)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_have_known_names() {
        let check = |encoder: LlamaCpp, name: &str, expected: &str| {
            assert_eq!(encoder.name(name).as_deref(), Some(expected), "{name}");
            assert_eq!(encoder.original(expected).as_deref(), Some(name.trim_start_matches("model.")));
        };
        use LlamaCpp::{Qwen3, T5};
        check(T5, "shared.weight", "token_embd.weight");
        check(T5, "encoder.block.11.layer.1.DenseReluDense.wi_1.weight", "enc.blk.11.ffn_up.weight");
        check(T5, "encoder.final_layer_norm.weight", "enc.output_norm.weight");
        check(Qwen3, "model.embed_tokens.weight", "token_embd.weight");
        check(Qwen3, "model.layers.35.self_attn.o_proj.weight", "blk.35.attn_output.weight");
        check(Qwen3, "layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight");
        assert_eq!(Qwen3.name("layers.x.mlp.up_proj.weight"), None);
        assert_eq!(T5.name("shared"), None);
    }
}
