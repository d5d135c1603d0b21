//! The runs folder, which holds everything that Maquette keeps. Only this crate writes there.
//!
//! ```text
//! runs/
//!   .cells/ab/abcd….png               every finished cell once, named by its cell
//!   .trained/                         weights of subjects, and the trainings that made them (`trained.rs`)
//!   .timings.json                     durations and memory measured on this machine, for estimates
//!   .diffs/mucha@1-mucha@2/           the page of a comparison; its pictures stay in the runs
//!   .fingerprints.json                the fingerprints of models, so that gigabytes are read once
//!   .names.json                       former names of runs that were renamed or removed
//!   .lock                             held while a run is started, renamed or removed
//!   mucha/
//!     .lock                           held while a run is being started
//!     latest -> 2                     the newest run (a plain file with its number where links do not work)
//!     1/  2/                          a run: one plan, numbered
//!       .lock                         held by the process that renders into it
//!       experiment.toml               the resolved experiment, overrides included
//!       plan.json                     axes, labels, order, drawn seeds, fingerprints
//!       references/<stem>-<digest8>.<ext>    the reference pictures, so that the folder is self-contained
//!       images/<readable-name>-<id8>.png     hard links into .cells (copies where links do not work); `images/<id2>/…` in a run
//!                                     of more than 10,000 cells, and so for drafts and thumbnails (`spread.rs`)
//!       log.csv                       a row per ended cell; the journal (`log.<i>-of-<n>.csv` for a shard)
//!       .share/<session>/             claims and rows of workers (docs/scale.md); the rows are folded into log.csv
//!       submit/                       scripts for a queue, and what their jobs print
//!       drafts.csv                    drafts of cells, in the log's format; `final` names the cell (a file per shard, too)
//!       drafts/                       their pictures: hard links into .cells
//!       trained/<subject>-<digest8>/  weights, losses and samples of its subjects: links into .trained
//!       sheets/*.png                  the contact sheets
//!       masks/<name>-<digest8>.png    masks of its pictures, for other experiments; they stay when the run is removed
//!       picks.toml                    the marks and notes of its cells, also edited by hand
//!       votes.csv                     the votes between two cells, a row each
//!       picks.lock                    held while one of these two is changed
//!       index.html                    the page, for a browser
//!       page/                         the page's app and data (`data.js`, and `state.js`, which is small)
//!         thumbnails/160/<id16>.webp  thumbnails by their longest edge; each has its picture's modification time
//!       plots/*.svg                   plots of the run
//!       effects.json                  how much each axis changes the pictures
//!       .checked.json                 pictures whose pixels were verified, so that they are not decoded again
//!       .report.json                  what sheets and page were made from, so that they are not made again
//! ```
//!
//! A file is complete or absent: it is written under a temporary name in the same folder and then renamed. Only the log
//! grows, by whole rows per write; a torn last row is cut off when the run is resumed. Measuring replaces a log by one with more
//! columns, while no process renders into the run. Pictures are forced to the disk before their rows are written, and rows
//! before their cells are reported as finished, several cells at once (`sync.rs`); so are plans, picks and votes. What can be
//! made again (sheets, page, caches) is not. Pictures that are damaged or edited are recognised when they are read: their metadata
//! and the log keep the digest of the rendered pixels.
//!
//! Not here: rendering, drawing sheets, printing, clocks. The types of plans and records come from `maquette-core`.

#![forbid(unsafe_code)]

mod atomic;
mod batch;
mod bucket;
mod cells;
mod checked;
mod clean;
#[cfg(test)]
mod clean_tests;
mod drafts;
mod error;
mod fields;
mod find;
mod fingerprints;
mod folders;
mod former_names;
mod formulas;
mod image_folder;
mod links;
mod lock;
mod log;
mod log_columns;
#[cfg(test)]
mod log_format_tests;
mod log_metrics;
#[cfg(test)]
mod log_metrics_tests;
mod log_scan;
#[cfg(test)]
mod log_tests;
mod log_writer;
mod logs;
mod masks;
mod mirror;
mod names;
mod page_files;
mod picks;
#[cfg(test)]
mod picks_tests;
mod picture;
#[cfg(test)]
mod picture_tests;
mod pictures_of_run;
mod plan_file;
mod pull;
mod rename;
#[cfg(test)]
mod rename_tests;
mod report_state;
mod run;
mod run_parts;
#[cfg(test)]
mod run_tests;
mod runs;
mod shard;
mod share;
mod spread;
#[cfg(test)]
mod spread_tests;
mod start;
mod start_reason;
mod submission;
mod sync;
mod timings;
mod trained;
mod unused;
mod votes;
#[cfg(test)]
mod votes_tests;
mod writer;

pub use atomic::write_atomic;
pub use batch::{Batch, Reuse};
pub use error::StoreError;
pub use fingerprints::Stamp;
pub use log::{DamagedRow, Log, LogRow};
pub use log_columns::Status;
pub use log_metrics::MetricsWriter;
pub use log_writer::csv_table;
pub use maquette_bucket::BucketError;
pub use page_files::{PictureState, Thumbnails};
pub use picks::{PickChange, Picks};
pub use picture::{PictureProblem, check_pixels};
pub use run::Run;
pub use runs::Runs;
pub use shard::{Shard, ShardError};
pub use share::{SeenLog, SessionObjects, SharedWriter, Sharing, WorkerCells};
pub use spread::is_spread;
pub use start_reason::StartReason;
pub use submission::Submission;
pub use timings::{Speed, Timings, TrainingKind, WorkKind};
pub use trained::{
    TrainingFolder, TrainingSample, TrainingStep, TrainingWriter, shown_as, trained_beside, trained_weights,
};
pub use unused::{Unused, UnusedFile, UnusedKind};
pub use votes::Votes;
pub use writer::RunWriter;
