//! Errors of textual inversions.

use crate::weights::small_file::SmallFileError;

/// A textual inversion that cannot be used with the model.
#[derive(Debug, thiserror::Error)]
pub enum InversionError {
    /// The file cannot be read, or is damaged.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// It contains something else.
    #[error(
        "{file} is not a textual inversion: it has {found}. Supported: one tensor named by its word (diffusers), \
         `emb_params` or `string_to_param` (A1111), `clip_l` and `clip_g` (SDXL)."
    )]
    Content {
        /// The file.
        file: String,
        /// What it contains.
        found: String,
    },
    /// A tensor that is not a list of vectors, or whose vectors have another width.
    #[error(
        "{file}: `{key}` has the shape {found:?}, but the text encoder's vectors have width {width}.{hint}"
    )]
    Width {
        /// The file.
        file: String,
        /// The tensor's name.
        key: String,
        /// Its shape.
        found: Box<[usize]>,
        /// The text encoder's width.
        width: usize,
        /// The model that it seems to be made for, or empty.
        hint: String,
    },
    /// A file for another number of text encoders.
    #[error("{file} has {found}, but the model's number of text encoders is {encoders}; allowed: {allowed}.")]
    Encoders {
        /// The file.
        file: String,
        /// What it contains.
        found: String,
        /// How many the model has.
        encoders: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Different numbers of vectors for two text encoders.
    #[error("{file}: the number of vectors in `{key}` is {found}, but in `clip_l` it is {expected}.")]
    Count {
        /// The file.
        file: String,
        /// The tensor's name.
        key: String,
        /// How many it has.
        found: usize,
        /// How many the first has.
        expected: usize,
    },
    /// The word is already in the vocabulary.
    #[error(
        "{file}: its word `{word}` is already in the model's vocabulary. Give it another: `embeddings = \
         \"<{word}>={file}\"`."
    )]
    Taken {
        /// The file.
        file: String,
        /// The word.
        word: String,
    },
    /// Two files for one word.
    #[error(
        "the word `{word}` belongs to both {file} and {other}. Rename one: `embeddings = \"<{word}-2>={file}\"`."
    )]
    Twice {
        /// The word.
        word: String,
        /// One file.
        file: String,
        /// The other file.
        other: String,
    },
    /// A tensor could not be moved to the device.
    #[error("the embeddings do not fit on the device")]
    Device(#[from] candle_core::Error),
}
