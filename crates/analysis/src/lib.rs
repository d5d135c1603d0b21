//! Statistics of a run: numbers in, numbers out. No files, no clock, no randomness but a seeded generator.
//!
//! `ranking` ranks the values of every axis by the votes between cells; `fit` finds their strengths.

mod fit;
mod mulberry32;
mod ranking;

pub use fit::{Duel, RIDGE};
pub use ranking::{AxisRanking, CERTAINTY, Lead, RESAMPLES, RankedValue, rank};
