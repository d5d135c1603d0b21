//! The record of a cell in a run.

use crate::{Cell, Digest, Remarks};

/// The result of one cell: written once, when the cell has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The cell.
    pub cell: Cell,
    /// How it ended.
    pub outcome: Outcome,
    /// The engine's time for it, in seconds; `None` for a reused picture.
    pub seconds: Option<f64>,
    /// The device that rendered it, such as `cpu` or `cuda:0`; `None` for a reused picture.
    pub device: Option<String>,
    /// Remarks about its picture.
    pub remarks: Remarks,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its picture is in the run folder.
    Done {
        /// The path of the picture, relative to the run folder.
        image: String,
        /// The digest of its pixels, see [`crate::Image::digest`].
        pixels: Digest,
        /// The run that rendered it, such as `mucha@1`, if it was not this one.
        reused: Option<String>,
    },
    /// There is no picture.
    Failed {
        /// What failed.
        error: String,
    },
}
