//! The review server: serves the pages of runs on this machine's loopback address, so that picks, notes and votes are saved
//! in the run folders as they are made.
//!
//! It keeps no state of its own but the model that makes masks: `picks.toml`, `votes.csv` and `masks/` are the truth, and
//! edits by hand are seen while it runs. Only whoever knows the random token in the address reaches anything, and only from
//! a page of the server itself (`guard`). `api` reads and writes picks and votes, `masks` makes and saves masks, `events`
//! follows the files, `files` serves the page.

#![forbid(unsafe_code)]

mod api;
mod error;
mod events;
mod files;
mod guard;
mod index_page;
mod mask_model;
mod masks;
mod runs;
mod server;
mod site;

pub use error::ReviewError;
pub use server::{Server, ServerOptions, StopHandle};
