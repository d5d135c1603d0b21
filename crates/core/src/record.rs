//! What happened to a cell.

use crate::{Cell, Digest, Remarks};

/// What happened to one cell: written once, when it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The cell.
    pub cell: Cell,
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds of the engine's time that it took; `None` for a reused picture.
    pub seconds: Option<f64>,
    /// What rendered it, such as `cpu` or `cuda:0`; `None` for a reused picture.
    pub device: Option<String>,
    /// What is to be said of its picture.
    pub remarks: Remarks,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its picture is in the run folder.
    Done {
        /// The picture, relative to the run folder.
        image: String,
        /// The digest of its pixels, [`crate::Image::digest`].
        pixels: Digest,
        /// The run that rendered it, such as `mucha@1`, when this one did not.
        reused: Option<String>,
    },
    /// There is no picture.
    Failed {
        /// What went wrong.
        error: String,
    },
}
