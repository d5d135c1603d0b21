//! A1111's dialect of prompts, before any token or tensor.
//!
//! A prompt is parsed from the outside in: `AND` first, then changes from step to step, then the weights of words and
//! `BREAK`, and finally chunks. Each is in its own file, and none can fail: what is not syntax is text. A plain prompt
//! is not parsed at all. Source of the rules: A1111's stable-diffusion-webui 1.10.

mod attention;
mod chunks;
mod schedule;

pub use attention::{Piece, oddities, pieces, without_weights};
pub use chunks::{Chunk, Item, Token, chunks};
pub use maquette_core::composition::{Part, compose};
pub use schedule::{Stage, is_refused, schedule};

#[cfg(test)]
mod tests;
