//! Runs that workers share: claims and rows as small files in the run's folder, see `docs/scale.md`.

mod fold;
mod in_bucket;
mod objects;
mod rows;
mod status;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use fold::{fold, fold_when_free};
pub use in_bucket::SeenLog;
pub use objects::SessionObjects;
pub(crate) use rows::read_rows;
pub use status::{Sharing, WorkerCells};
pub use writer::SharedWriter;

/// The folder of a run with a folder for each session, by its number.
pub(crate) const FOLDER: &str = ".share";
