//! The review server: serves the pages of runs on this machine's loopback address, so that picks, notes and votes are saved
//! in the run folders as they are made.
//!
//! It keeps no state of its own: `picks.toml` and `votes.csv` are the truth, and edits by hand are seen while it runs. Only
//! whoever knows the random token in the address reaches anything, and only from a page of the server itself (`guard`).
//! `api` reads and writes picks and votes, `events` follows the files, `files` serves the page.

#![forbid(unsafe_code)]

mod api;
mod error;
mod events;
mod files;
mod guard;
mod index_page;
mod runs;
mod server;
mod site;

pub use error::ReviewError;
pub use server::{Server, StopHandle};
