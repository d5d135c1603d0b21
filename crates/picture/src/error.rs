//! Errors of picture files.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a picture file.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be read.
    #[error("cannot read the picture `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a picture, is damaged, or has an unsupported format.
    #[error("`{}` is not a readable picture: {problem}; allowed: PNG, JPEG, WebP", path.display())]
    NotAPicture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do about it, if known.
        hint: Option<&'static str>,
    },
    /// The picture has more pixels than the limits allow.
    #[error(
        "`{}` has {width}x{height} pixels; allowed: at most {MAX_EDGE} on each side and {} megapixels in all",
        path.display(), MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// Frames that cannot be encoded as an animation.
    #[error("the frames cannot be written as {format}: {problem}")]
    Animation {
        /// The format.
        format: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// An image that cannot be encoded.
    #[error("a picture of {width}x{height} pixels cannot be written as {format}: {problem}")]
    Encode {
        /// The file format.
        format: &'static str,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The encoder's reason.
        problem: String,
    },
}

/// The longest edge that is accepted, in pixels.
pub(crate) const MAX_EDGE: u32 = 32_768;

/// The most pixels that are accepted: 200 megapixels, more than any camera's single shot. A file of a few
/// kilobytes can claim a hundred times as many.
pub(crate) const MAX_PIXELS: u64 = 200_000_000;

/// The most bytes that decoding may allocate: [`MAX_PIXELS`] with four channels of 8 bits, and a quarter more.
pub(crate) const MAX_BYTES: u64 = 1_000_000_000;

impl PictureError {
    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            PictureError::NotAPicture { hint, .. } => hint.map(str::to_owned),
            PictureError::TooLarge { .. } => Some("Scale it down first.".to_owned()),
            PictureError::Read { .. } | PictureError::Encode { .. } | PictureError::Animation { .. } => None,
        }
    }

    /// For `map_err`: which file cannot be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> PictureError {
        let path = path.to_owned();
        move |source| PictureError::Read { path, source }
    }
}
