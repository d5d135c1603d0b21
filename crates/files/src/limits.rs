//! How many bytes a file of each kind may have. docs/limits.md lists them; a test compares both.

/// The largest size of a kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The kind, for messages: `an experiment file`.
    pub kind: &'static str,
    /// The most bytes.
    pub bytes: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn limit(kind: &'static str, bytes: u64) -> Limit {
    Limit { kind, bytes }
}

/// Parsing takes some twenty times the memory of the text. A list of more than a thousand values belongs in a file of its
/// own.
pub const EXPERIMENT: Limit = limit("an experiment file", 16 * MIB);

/// The 100,000 values that an axis may have, with 600 bytes each.
pub const LIST: Limit = limit("a list of values", 64 * MIB);

/// The positions of the largest grid, one on a line, after rules have left out some of them.
pub const PLAN: Limit = limit("a plan", 2 * GIB);

/// Four million rows of 1 KiB; the rows of a log are in memory while it is read.
pub const LOG: Limit = limit("a log", 4 * GIB);

/// A mark and a note of 500 bytes for 100,000 cells.
pub const PICKS: Limit = limit("a file of picks", 64 * MIB);

/// 400,000 votes.
pub const VOTES: Limit = limit("a file of votes", 64 * MIB);

/// Caches, effects and parts of a page: 200 bytes for each of a million pictures.
pub const RUN_FILE: Limit = limit("a file of a run", 256 * MIB);

/// The pixels of the largest picture, uncompressed, with four channels of 8 bits.
pub const PICTURE: Limit = limit("a picture", GIB);

/// A LoRA of full rank for the largest model here, and the largest model for metrics. Models for rendering are mapped
/// instead, and may have any size.
pub const WEIGHTS: Limit = limit("a weight file that is read whole", 8 * GIB);

/// A thousand vectors of every text encoder, many times over: real files have some hundred kilobytes.
pub const EMBEDDING: Limit = limit("a textual inversion", 64 * MIB);

/// Configurations have some kilobytes; the index of a model's shards has some hundred.
pub const CONFIG: Limit = limit("a configuration of a model", 16 * MIB);

/// The largest tokenizers in use, of 256,000 words, have 35 MB.
pub const TOKENIZER: Limit = limit("a tokenizer", 64 * MIB);

/// The header of a safetensors or GGUF file: a hundred thousand tensors; the largest models here have three thousand.
pub const TENSOR_HEADER: Limit = limit("the header of a safetensors or GGUF file", 16 * MIB);

/// LDM's configurations have some kilobytes.
pub const YAML: Limit = limit("a YAML configuration", MIB);

/// The certificates of every authority, many times over.
pub const CERTIFICATES: Limit = limit("a file of certificates", 16 * MIB);

/// A token, a commit: one line.
pub const LINE: Limit = limit("a file of one line", 64 * KIB);

/// Every limit, for the documentation.
pub const ALL: [Limit; 16] = [
    EXPERIMENT,
    LIST,
    PLAN,
    LOG,
    PICKS,
    VOTES,
    RUN_FILE,
    PICTURE,
    WEIGHTS,
    EMBEDDING,
    CONFIG,
    TOKENIZER,
    TENSOR_HEADER,
    YAML,
    CERTIFICATES,
    LINE,
];

/// A number of bytes in the largest unit that leaves no more than three digits before the point.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        GIB.. => (GIB, "GiB"),
        MIB.. => (MIB, "MiB"),
        KIB.. => (KIB, "KiB"),
        _ => return format!("{bytes} bytes"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(16 * MIB, "16 MiB");
        check(16 * MIB + MIB / 2, "16.5 MiB");
        check(u64::MAX, "1717986918.3 GiB");
    }

    #[test]
    fn every_limit_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
        let text = std::fs::read_to_string(path).unwrap();
        for Limit { kind, bytes } in ALL {
            let row = format!("| {kind} | {} |", size(bytes));
            assert!(text.contains(&row), "docs/limits.md lacks the row `{row}`");
        }
    }
}
