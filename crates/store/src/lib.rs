//! The runs folder: everything Maquette keeps, and the only crate that writes under it.
//!
//! ```text
//! runs/
//!   .cells/ab/abcd….png               every finished cell once, named by what it is
//!   .timings.json                     how long things took here, for estimates
//!   .fingerprints.json                what models were found to be, so that gigabytes are read once
//!   mucha/
//!     .lock                           held while a run is being started
//!     latest -> 2                     the newest run (a plain file with its number where links cannot be)
//!     1/  2/                          a run: one plan, numbered
//!       .lock                         held by whoever renders into it
//!       experiment.toml               as run: resolved, overrides included
//!       plan.json                     axes, labels, order, drawn seeds, fingerprints
//!       references/<stem>-<digest8>.<ext>    the pictures it starts from, so that the folder stands alone
//!       images/<readable-name>-<id8>.png     hard links into .cells (copies where links do not work)
//!       log.csv                       a row per ended cell; the journal (`log.<i>-of-<n>.csv` for a shard)
//!       sheets/*.png                  what the reporter made of it
//!       .checked.json                 pictures whose pixels are known to be right, so that they are not decoded again
//! ```
//!
//! A file here is whole or absent: it is written under another name beside its place and then renamed. The one file
//! that grows is the log, a row per write, and a torn last row is cut when the run goes on. Nothing is synced to the
//! disk by force: what a power cut can damage is recognised when it is read again, and rendered again. So is a picture
//! that was edited: its own text and the log keep the digest of the pixels that were rendered.
//!
//! Deliberately not here: rendering, drawing sheets, printing, clocks. What a run is made of comes from `maquette-core`.

mod atomic;
mod cells;
mod checked;
mod error;
mod find;
mod fingerprints;
mod log;
mod log_columns;
mod log_scan;
#[cfg(test)]
mod log_tests;
mod log_writer;
mod names;
mod picture;
#[cfg(test)]
mod picture_tests;
mod plan_file;
mod run;
#[cfg(test)]
mod run_tests;
mod runs;
mod shard;
mod start;
mod start_reason;
mod timings;
mod writer;

pub use atomic::write_atomic;
pub use error::StoreError;
pub use fingerprints::Stamp;
pub use log::{DamagedRow, Log, LogRow};
pub use log_columns::Status;
pub use picture::{PictureProblem, check_pixels};
pub use run::Run;
pub use runs::Runs;
pub use shard::{Shard, ShardError};
pub use start_reason::StartReason;
pub use timings::{Speed, Timings, WorkKind};
pub use writer::{Reuse, RunWriter};
