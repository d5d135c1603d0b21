//! What can be wrong with a textual inversion.

use crate::weights::small_file::SmallFileError;

/// A textual inversion that cannot be used with the model.
#[derive(Debug, thiserror::Error)]
pub enum InversionError {
    /// The file cannot be read, or is not whole.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// It holds something else.
    #[error(
        "{file} is not a textual inversion: it has {found}. Known: one tensor under its word (diffusers), `emb_params` or \
         `string_to_param` (A1111), `clip_l` and `clip_g` (SDXL)."
    )]
    Content {
        /// The file.
        file: String,
        /// What is in it.
        found: String,
    },
    /// A tensor that is not a list of vectors, or of vectors of another width.
    #[error(
        "{file}: `{key}` has the shape {found:?}, and the text encoder's vectors are {width} wide.{hint}"
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
        /// What model it seems to be made for, or nothing.
        hint: String,
    },
    /// A file for another number of text encoders.
    #[error("{file} has {found}, and the model's text encoders are {encoders}: allowed: {allowed}.")]
    Encoders {
        /// The file.
        file: String,
        /// What is in it.
        found: String,
        /// How many the model has.
        encoders: usize,
        /// What would fit.
        allowed: &'static str,
    },
    /// Vectors for two text encoders that are not as many.
    #[error("{file}: `{key}` has {found} vectors, and `clip_l` has {expected}.")]
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
    /// The word is in the vocabulary already.
    #[error(
        "{file}: its word `{word}` is in the model's vocabulary already. Give it another: `embeddings = \
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
        /// The other.
        other: String,
    },
    /// The device refused a tensor.
    #[error("the embeddings do not fit on the device")]
    Device(#[from] candle_core::Error),
}
