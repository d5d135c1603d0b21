//! What a prompt says, before any token or tensor: A1111's dialect.
//!
//! A prompt is read from the outside in: `AND` first, then what changes from step to step, then the weights of words and
//! `BREAK`, and at last chunks. Each is a file of its own, and none can fail: what is no sign is text. A plain prompt
//! goes through none of them. Source of the rules: A1111's stable-diffusion-webui 1.10.

mod attention;
mod chunks;
mod schedule;

pub use attention::{Piece, oddities, pieces};
pub use chunks::{Chunk, Item, Token, chunks};
pub use maquette_core::composition::{Part, compose};
pub use schedule::{Stage, is_refused, schedule};

#[cfg(test)]
mod tests;
