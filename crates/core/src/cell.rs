//! A cell: one picture to render, and its name.

use crate::{Digest, ModelCard, NAMING, NUMERICS, Settings};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The name of a cell: the digest of everything that can change its pixels.
///
/// Two cells with the same name are the same picture, in whatever run, order or position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(pub Digest);

/// One picture to render: its settings, and its position on the axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its name.
    pub id: CellId,
    /// Its position: for each axis of the plan, the index of its value.
    pub coordinates: Vec<usize>,
    /// Its settings.
    pub settings: Settings,
    /// The value of each `{placeholder}`, in the plan's order.
    pub vars: Vec<(Arc<str>, Arc<str>)>,
}

impl CellId {
    /// The name of the picture that the model makes from `settings`.
    pub fn of(settings: &Settings, model: &ModelCard) -> CellId {
        CellId::by(settings, model, NUMERICS, NAMING)
    }

    /// The same by given versions.
    pub(crate) fn by(settings: &Settings, model: &ModelCard, numerics: u32, naming: u32) -> CellId {
        CellId(Digest::of(settings.canonical(model, numerics, naming).as_bytes()))
    }

    /// The first eight hexadecimal digits, as in file names.
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
