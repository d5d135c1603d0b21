//! CLIP's vocabulary, which every text encoder of Stable Diffusion shares and no single file holds.
//!
//! `vocabulary/merges.txt` is the list of merges that OpenAI published with CLIP (MIT licence, beside it), cut to the ones
//! CLIP uses; the words follow from it. Not here: tokenizing.

/// The merges, in order of rank, as a `merges.txt`.
pub(crate) const MERGES: &str = include_str!("../../../vocabulary/merges.txt");

pub(crate) const START: &str = "<|startoftext|>";
pub(crate) const END: &str = "<|endoftext|>";

/// The vocabulary as a `vocab.json`: each byte, each byte at a word's end, each merge, start and end (OpenAI's
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

/// The letter that stands for each byte, in the vocabulary's order: printable bytes stand for themselves and come
/// first; the others get letters from U+0100 on.
fn byte_letters() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let others = (0..=u8::MAX).filter(|byte| !printable(byte)).count() as u32;
    let stand_ins = (256..256 + others).filter_map(char::from_u32);
    (0..=u8::MAX).filter(printable).map(char::from).chain(stand_ins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that CLIP's own tokenizer gives, from the first to the last of its vocabulary.
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
