//! SentencePiece's compiled normalizer in a `tokenizer.json`, checked before the library follows it: it panics at a broken one.
//!
//! The map is base64 of the size of a trie in bytes, the trie (a double array of 32-bit units), and replacements, each ended
//! by a byte 0. Source: `normalizer.cc` of sentencepiece 0.2 and `double_array` of darts-clone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Checks the normalizers of a tokenizer, at any depth.
///
/// # Errors
///
/// A compiled normalizer that cannot be followed, as a reason without the file's name.
pub fn check_charsmaps(tokenizer: &Value) -> Result<(), String> {
    check_normalizer(&tokenizer["normalizer"])
}

fn check_normalizer(normalizer: &Value) -> Result<(), String> {
    if let Some(map) = normalizer.get("precompiled_charsmap") {
        let bytes = map.as_str().and_then(|text| STANDARD.decode(text).ok());
        bytes.and_then(|bytes| check_map(&bytes)).ok_or("its `precompiled_charsmap` is broken")?;
    } else if normalizer["type"] == "Precompiled" {
        return Err("its normalizer `Precompiled` has no `precompiled_charsmap`".to_owned());
    }
    match normalizer {
        Value::Array(parts) => parts.iter().try_for_each(check_normalizer),
        Value::Object(parts) => parts.values().try_for_each(check_normalizer),
        _ => Ok(()),
    }
}

/// Follows every text that the trie has, each unit once.
fn check_map(bytes: &[u8]) -> Option<()> {
    let (size, rest) = bytes.split_first_chunk()?;
    let units = u32::from_le_bytes(*size) as usize / 4;
    let (trie, replacements) = rest.split_at_checked(4 * units)?;
    let replacements = std::str::from_utf8(replacements).ok()?;
    let unit = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(trie.get(4 * at..4 * at + 4)?.try_into().ok()?))
    };
    let mut open = vec![offset(unit(0)?)];
    let mut seen = vec![false; units];
    while let Some(position) = open.pop() {
        for byte in 1..=u8::MAX {
            let at = position ^ usize::from(byte);
            let child = unit(at)?;
            if child & ((1 << 31) | 0xff) != u32::from(byte) || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let next = at ^ offset(child);
            if child & (1 << 8) != 0 {
                let start = (unit(next)? & ((1 << 31) - 1)) as usize;
                replacements.get(start..)?;
            }
            open.push(next);
        }
    }
    Some(())
}

/// How far the children of a unit are.
fn offset(unit: u32) -> usize {
    (unit as usize >> 10) << ((unit & (1 << 9)) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A trie that replaces `a` by `b`.
    fn trie() -> Vec<u32> {
        let mut trie = vec![0; 512];
        // The root's children are at 256 ^ byte; the unit of `a` has a leaf at its place ^ 1.
        trie[0] = 256 << 10;
        let a = 256 ^ usize::from(b'a');
        trie[a] = u32::from(b'a') | 1 << 8 | 1 << 10;
        trie[a ^ 1] = 1 << 31;
        trie
    }

    fn map(trie: &[u32], replacements: &[u8]) -> Value {
        let units = trie.iter().flat_map(|unit| unit.to_le_bytes());
        let bytes: Vec<u8> = (4 * trie.len() as u32)
            .to_le_bytes()
            .into_iter()
            .chain(units)
            .chain(replacements.iter().copied())
            .collect();
        json!({ "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Lowercase" },
            { "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(bytes) },
        ]}})
    }

    #[test]
    fn a_map_that_can_be_followed_is_accepted() {
        check_charsmaps(&map(&trie(), b"b\0")).unwrap();
        check_charsmaps(&json!({ "normalizer": null })).unwrap();
        check_charsmaps(&json!({})).unwrap();
    }

    #[test]
    fn a_map_that_leads_outside_is_refused() {
        let check = |change: &dyn Fn(&mut Vec<u32>), replacements: &[u8]| {
            let mut trie = trie();
            change(&mut trie);
            let error = check_charsmaps(&map(&trie, replacements)).unwrap_err();
            assert_eq!(error, "its `precompiled_charsmap` is broken");
        };
        check(&|trie| trie.clear(), b"");
        check(&|trie| trie[0] = 512 << 10, b"b\0");
        check(&|trie| trie[256 ^ usize::from(b'a')] |= 512 << 10, b"b\0");
        check(&|trie| trie[256 ^ usize::from(b'a') ^ 1] = 1 << 31 | 3, b"b\0");
        // Into the middle of a letter.
        check(&|trie| trie[256 ^ usize::from(b'a') ^ 1] = 1 << 31 | 1, "é\0".as_bytes());
        check(&|_| (), b"\xff");
        for text in [json!("!"), json!("////"), json!(7)] {
            let tokenizer = json!({ "normalizer": { "type": "Precompiled", "precompiled_charsmap": text } });
            assert!(check_charsmaps(&tokenizer).is_err());
        }
        assert!(check_charsmaps(&json!({ "normalizer": { "type": "Precompiled" } })).is_err());
    }
}
