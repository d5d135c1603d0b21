//! CLIP's vocabulary, which all text encoders of Stable Diffusion share and single files do not include.
//!
//! `vocabulary/merges.txt` is the list of merges that OpenAI published with CLIP (MIT licence, next to it), cut to those
//! that CLIP uses; the words follow from it. Not here: tokenizing.

/// The merges, in order of rank, as a `merges.txt`.
pub(crate) const MERGES: &str = include_str!("../../../vocabulary/merges.txt");

pub(crate) const START: &str = "<|startoftext|>";
pub(crate) const END: &str = "<|endoftext|>";

/// The vocabulary as a `vocab.json`: each byte, each byte at the end of a word, each merge, start and end (OpenAI's
/// `simple_tokenizer.py`).
pub(crate) fn words() -> Vec<u8> {
    let bytes = byte_letters();
    let merges = MERGES.lines().skip(1).map(|line| line.replace(' ', ""));
    let all = (bytes.iter().map(char::to_string))
        .chain(bytes.iter().map(|letter| format!("{letter}</w>")))
        .chain(merges)
        .chain([START.to_owned(), END.to_owned()]);
    let ids: serde_json::Map<String, serde_json::Value> =
        all.enumerate().map(|(id, word)| (word, id.into())).collect();
    serde_json::Value::Object(ids).to_string().into_bytes()
}

/// The character for each byte, in the vocabulary's order: printable bytes come first and are themselves; the others are
/// characters from U+0100 on.
fn byte_letters() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let others = (0..=u8::MAX).filter(|byte| !printable(byte)).count() as u32;
    let stand_ins = (256..256 + others).filter_map(char::from_u32);
    (0..=u8::MAX).filter(printable).map(char::from).chain(stand_ins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of CLIP's own tokenizer, from the first to the last of its vocabulary.
    #[test]
    fn the_words_have_clips_ids() {
        let ids: serde_json::Value = serde_json::from_slice(&words()).unwrap();
        assert_eq!(ids.as_object().unwrap().len(), 49408);
        for (word, id) in
            [("!", 0), ("!</w>", 256), ("a</w>", 320), ("photo</w>", 1125), (START, 49406), (END, 49407)]
        {
            assert_eq!(ids[word], id, "{word}");
        }
    }
}
