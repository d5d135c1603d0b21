//! One picture to make, and its name.

use crate::{Digest, ModelCard, NAMING, Settings};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Version of the engine's arithmetic, part of every cell's name.
///
/// It goes up when a change makes other pixels from the same settings, so that old pictures are not mistaken for
/// new ones.
pub const NUMERICS: u32 = 1;

/// The name of a cell: the digest of everything that can change its pixels.
///
/// Two cells with the same name are the same picture, in whatever run, order or position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(pub Digest);

/// One picture to make: its settings, and where it lies on the axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What it is.
    pub id: CellId,
    /// Where it lies: for each axis of the plan, which of its values.
    pub coordinates: Vec<usize>,
    /// What it is made from.
    pub settings: Settings,
    /// What each `{placeholder}` stood for, in the plan's order.
    pub vars: Vec<(Arc<str>, Arc<str>)>,
}

impl CellId {
    /// The name of a picture made from `settings` by that model.
    pub fn of(settings: &Settings, model: &ModelCard) -> CellId {
        CellId::by(settings, model, NAMING)
    }

    /// The same by an earlier version of the rules.
    pub(crate) fn by(settings: &Settings, model: &ModelCard, naming: u32) -> CellId {
        CellId(Digest::of(settings.canonical(model, NUMERICS, naming).as_bytes()))
    }

    /// The first eight digits, as in file names.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
