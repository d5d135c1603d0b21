//! What people think of pictures: marks and notes on single cells, and votes between two.

use crate::CellId;
use crate::options::options;
use serde::{Deserialize, Serialize};

options! {
    /// The mark on a cell.
    Mark {
        /// One of the best: it goes on into the next experiment.
        Pick = "pick",
        /// Not wanted again.
        Reject = "reject",
    }
}

options! {
    /// Which of two cells was preferred.
    Choice {
        /// The left one.
        Left = "left",
        /// The right one.
        Right = "right",
        /// Both alike; half a win each.
        Tie = "tie",
        /// Neither is any good; says nothing about which is better.
        Bad = "bad",
    }
}

/// The mark and the note of a cell. A cell without either has no entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pick {
    /// Its mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// A note in the reviewer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A vote between two cells of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The cell that was shown on the left.
    pub left: CellId,
    /// The cell that was shown on the right.
    pub right: CellId,
    /// Which of them was preferred.
    pub choice: Choice,
}
