//! The content of `tokenizer.json`: CLIP's and Qwen's made from `vocab.json` and `merges.txt`, which some models have instead, and a
//! check of what the library that reads it takes for granted.
//!
//! For the prompts of the engine and for the metrics of CLIP and SigLIP, which read models without knowing each other. Not
//! here: files, and what a tokenizer does with a text.

#![forbid(unsafe_code)]

mod charsmap;

pub use charsmap::check_charsmaps;

use serde_json::{Map, Value, json};

/// The content of `tokenizer.json` for a vocabulary and the text of `merges.txt`, without a post-processor: start and end
/// tokens are the caller's. `special` are the tokens that are one token wherever a text has them; those that the vocabulary
/// lacks are left out. `unknown` stands for what the vocabulary lacks.
///
/// Source: transformers 5.23, `models/clip/tokenization_clip.py`.
///
/// # Errors
///
/// A line of `merges` that is not a pair of tokens, as a reason without the file's name.
pub fn clip_tokenizer(
    vocab: &Map<String, Value>,
    merges: &str,
    special: &[&str],
    unknown: &str,
) -> Result<Value, String> {
    let merges = pairs(merges)?;
    let id = |token: &&str| Some((vocab.get(*token)?.as_u64()?, (*token).to_owned()));
    let mut added: Vec<(u64, String)> = special.iter().filter_map(id).collect();
    added.sort_unstable();
    added.dedup();
    let flags = |(id, content): (u64, String)| {
        json!({
            "id": id, "content": content, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    let added: Vec<Value> = added.into_iter().map(flags).collect();
    let words =
        r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" },
            { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " },
            { "type": "Lowercase" },
        ]},
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": words }, "behavior": "Removed", "invert": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        ]},
        "post_processor": null,
        "decoder": null,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": unknown,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": false,
            "byte_fallback": false,
            "vocab": vocab,
            "merges": merges,
        },
    }))
}

/// The same for Qwen2 and its successors, without added tokens, which are the caller's.
///
/// Source: transformers 5.23, `models/qwen2/tokenization_qwen2.py`.
///
/// # Errors
///
/// As [`clip_tokenizer`].
pub fn qwen_tokenizer(vocab: &Map<String, Value>, merges: &str) -> Result<Value, String> {
    let merges = pairs(merges)?;
    let words = concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    );
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": words }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        ]},
        "post_processor": null,
        "decoder": null,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": false,
            "byte_fallback": false,
            "vocab": vocab,
            "merges": merges,
        },
    }))
}

/// The pairs of tokens in `merges.txt`.
fn pairs(merges: &str) -> Result<Vec<Value>, String> {
    let lines = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
    let pair = |line: &'_ str| match line.split_once(' ') {
        Some((first, second)) => Ok(json!([first, second])),
        None => Err(format!("`{line}` is not a pair of tokens")),
    };
    lines.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_sorted_and_must_be_in_the_vocabulary() {
        let vocab = json!({ "a": 0, "b</w>": 1, "<|endoftext|>": 3, "<|startoftext|>": 2 });
        let special = ["<|endoftext|>", "<|startoftext|>", "!", "<|endoftext|>"];
        let tokenizer =
            clip_tokenizer(vocab.as_object().unwrap(), "#version: 0.2\na b</w>\n\n", &special, "!").unwrap();
        let added = tokenizer["added_tokens"].as_array().unwrap();
        let added: Vec<(u64, &str)> =
            added.iter().map(|it| (it["id"].as_u64().unwrap(), it["content"].as_str().unwrap())).collect();
        assert_eq!(added, [(2, "<|startoftext|>"), (3, "<|endoftext|>")]);
        assert_eq!(tokenizer["model"]["merges"], json!([["a", "b</w>"]]));
        assert_eq!((&tokenizer["model"]["unk_token"], &tokenizer["model"]["vocab"]), (&json!("!"), &vocab));
    }

    #[test]
    fn a_line_that_is_no_merge_is_named() {
        let error = clip_tokenizer(&Map::new(), "a b\nabc\n", &[], "").unwrap_err();
        assert_eq!(error, "`abc` is not a pair of tokens");
    }
}
