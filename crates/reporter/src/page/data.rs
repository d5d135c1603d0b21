//! The data of a page, as `crates/reporter/page/src/data.ts` defines it: the types there and here have the same names,
//! fields and order. That file describes the fields.

#![allow(missing_docs, reason = "data.ts describes the fields")]

use crate::diff::Change;
use maquette_analysis::Effects;
use maquette_core::{CellId, Pick, TrainingMethod, Vote};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// The page of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunPage {
    pub format: u32,
    pub kind: &'static str,
    pub version: String,
    pub revision: String,
    pub run: RunInfo,
    pub grid: Grid,
    pub pictures: Pictures,
    pub ancestry: Vec<Ancestor>,
    pub picks: Picks,
    pub votes: Vec<Vote>,
    pub effects: Vec<Effects>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trainings: Vec<Training>,
}

/// What the page says about the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunInfo {
    pub name: String,
    pub experiment: String,
    pub number: usize,
    pub title: String,
    pub toml: String,
    pub state: RunState,
    pub notes: Vec<String>,
}

/// Whether a run has cells to render, and whether somebody renders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Complete,
    Incomplete,
}

/// The axes, and which positions of their grid are cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grid {
    pub axes: Vec<Axis>,
    pub kept: Option<Vec<u32>>,
    pub picture: Vec<usize>,
    pub rows: Option<String>,
    pub columns: Option<String>,
}

/// An axis of the grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    pub name: String,
    pub values: Vec<AxisValue>,
}

/// A position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AxisValue {
    pub label: String,
    pub set: Vec<(String, String)>,
}

/// The distinct pictures of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pictures {
    pub count: usize,
    pub cell: Vec<String>,
    pub status: Vec<PictureStatus>,
    pub image: Vec<Option<String>>,
    pub size: Vec<(u32, u32)>,
    pub problem: Vec<Option<String>>,
    pub draft: Vec<bool>,
    pub thumbnails: Vec<ThumbnailFolder>,
    pub thumbnail: Vec<bool>,
    pub reference: Vec<Option<usize>>,
    pub references: Vec<Reference>,
    pub columns: Vec<Column>,
    pub toml_head: String,
}

/// Whether a cell has been rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureStatus {
    Done,
    Failed,
    Missing,
}

/// A folder of thumbnails of one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThumbnailFolder {
    pub folder: String,
    pub edge: u32,
    /// Whether they lie in subfolders named by the first two digits of the cells.
    pub spread: bool,
}

/// A reference picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    pub image: String,
    pub size: (u32, u32),
}

/// A column of the log, each value once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    pub r#type: ColumnType,
    pub values: Vec<String>,
    pub index: Option<Vec<u32>>,
    pub help: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub better: Option<Better>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<(Option<f64>, Option<f64>)>,
}

/// What a column of the log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    Setting,
    Placeholder,
    Outcome,
    Metric,
}

/// How the values of a column are sorted, and written in an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    Number,
    Text,
    Boolean,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
}

/// A run from whose pictures this one, or one of its ancestors, was derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ancestor {
    pub run: String,
    pub page: Option<String>,
    pub cells: Vec<AncestorCell>,
}

/// A picture of an ancestor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AncestorCell {
    pub cell: String,
    pub label: String,
    pub image: Option<String>,
}

/// A training of a subject on a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Training {
    pub subject: String,
    pub word: String,
    pub model: String,
    pub method: TrainingMethod,
    pub images: usize,
    pub class_images: u32,
    pub rank: Option<u32>,
    pub num_vectors: Option<u32>,
    pub learning_rate: f64,
    pub steps: u32,
    pub last_step: u32,
    pub done: u32,
    pub seconds: f64,
    pub losses: Losses,
    pub samples: Vec<TrainingSample>,
}

/// The losses of a training, thinned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Losses {
    pub window: usize,
    pub step: Vec<u32>,
    pub loss: Vec<Option<f32>>,
    pub mean: Vec<Option<f32>>,
    pub learning_rate: Vec<Option<f32>>,
}

/// A picture rendered during a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainingSample {
    pub step: u32,
    pub number: usize,
    pub image: String,
}

/// Picks by cell.
pub type Picks = BTreeMap<CellId, Pick>;

/// The page of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffPage {
    pub format: u32,
    pub kind: &'static str,
    pub version: String,
    pub revision: String,
    pub left: String,
    pub right: String,
    pub pairing: Vec<String>,
    pub settings: Vec<Change>,
    pub pairs: Vec<DiffPair>,
    pub only_left: Vec<DiffCell>,
    pub only_right: Vec<DiffCell>,
}

/// A cell of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffCell {
    pub cell: String,
    pub label: String,
    pub image: Option<String>,
    pub thumbnail: Option<String>,
    pub size: (u32, u32),
    pub problem: Option<String>,
}

/// Two cells that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffPair {
    pub left: DiffCell,
    pub right: DiffCell,
    pub settings: Vec<Change>,
    pub unexplained: bool,
    pub outcome: PairOutcome,
    pub mean_difference: Option<f64>,
    pub psnr: Option<f64>,
}

/// How two pictures compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PairOutcome {
    Identical,
    Different,
    Sizes,
    NoPicture,
}

/// What changes while a run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageState {
    pub revision: String,
    pub state: RunState,
    pub done: usize,
    pub total: usize,
    pub written: u64,
}
