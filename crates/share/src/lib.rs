//! How workers share the cells of a run: they claim chunks of cells through small objects that are created if absent.
//!
//! `docs/scale.md` describes the protocol and gives its reasons. Here are the decisions: [`Scheduler`] is a pure state
//! machine, and [`Session`] carries out what it decides over [`Objects`], a store of small objects. The time is an argument, by
//! the worker's own monotonic clock; randomness comes from a seed. So a simulation can drive all of it.
//!
//! Not here: files, threads, clocks, pictures, the log.

#![forbid(unsafe_code)]

mod chunks;
mod keys;
mod objects;
mod random;
mod scheduler;
mod session;
#[cfg(test)]
mod tests;
mod view;
mod work;

pub use chunks::{Chunks, LARGEST_CHUNK};
pub use keys::{FINISHED, row_key, rows_prefix};
pub use objects::Objects;
pub use scheduler::{Scheduler, Step};
pub use session::{Finish, Session, Take};
pub use view::{ClaimState, claim_states};

/// The number of a chunk, from 0.
pub type Chunk = u32;
