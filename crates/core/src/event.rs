//! What a backend says while it renders: the closed list of things that happen.

use crate::{CellId, Image};

/// What the engine has to say of a finished picture: columns of the log, and kept inside the picture.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Remarks {
    /// The safety checker's verdict; `None` where it did not look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nsfw_content_detected: Option<bool>,
    /// What went otherwise than the settings say, in a sentence, such as a precision that overflowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Something that happened while rendering, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A model is being loaded; rendering waits.
    Loading {
        /// Its name as written.
        model: String,
    },
    /// A model is ready.
    Loaded {
        /// Its name as written.
        model: String,
        /// How long it took.
        seconds: f64,
    },
    /// A cell's first step begins.
    Started {
        /// Which cell.
        cell: CellId,
        /// How many times the UNet will be called for it.
        steps: usize,
    },
    /// One step of a cell is done.
    Stepped {
        /// Which cell.
        cell: CellId,
        /// Steps done so far, from 1.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A cell's picture is ready.
    Finished {
        /// Which cell.
        cell: CellId,
        /// The picture.
        image: Image,
        /// The cell's share of the engine's time: rows in flight share a step's time evenly.
        seconds: f64,
        /// What is to be said of it.
        remarks: Remarks,
    },
    /// A cell cannot be rendered; the others go on.
    Failed {
        /// Which cell.
        cell: CellId,
        /// What went wrong, in a sentence.
        error: String,
    },
    /// Something a person should know that stops nothing, such as the words a long prompt loses.
    Warned {
        /// Which cell it was noticed in.
        cell: CellId,
        /// What it is, in a sentence.
        warning: String,
    },
}
