//! The events that a backend sends while it renders.

use crate::{CellId, Image};

/// The engine's remarks about a finished picture: columns of the log, also stored in the picture.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Remarks {
    /// The safety checker's result; `None` if it was not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nsfw_content_detected: Option<bool>,
    /// Deviations from the requested settings, in one sentence, such as a precision that overflowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An event while rendering; events are sent in order.
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
        /// The device that has it, see [`crate::Backend::device`].
        device: String,
    },
    /// A prompt of an announced cell was encoded.
    Encoded,
    /// A cell starts its first step.
    Started {
        /// Which cell.
        cell: CellId,
        /// The number of UNet calls for it.
        steps: usize,
        /// The device that renders it, see [`crate::Backend::device`].
        device: String,
    },
    /// One step of a cell is done.
    Stepped {
        /// Which cell.
        cell: CellId,
        /// Steps done so far, from 1.
        step: usize,
        /// The total number of steps.
        steps: usize,
    },
    /// A cell's picture is ready.
    Finished {
        /// Which cell.
        cell: CellId,
        /// The picture.
        image: Image,
        /// The cell's share of the engine's time: a step's time is divided evenly among the cells in flight.
        seconds: f64,
        /// Remarks about it.
        remarks: Remarks,
    },
    /// A cell cannot be rendered; the others continue.
    Failed {
        /// Which cell.
        cell: CellId,
        /// What failed, in one sentence.
        error: String,
    },
    /// A warning for the user, such as the words that are cut off a long prompt.
    Warned {
        /// Which cell it is about.
        cell: CellId,
        /// The warning, in one sentence.
        warning: String,
    },
}
