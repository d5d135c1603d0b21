//! Statistics of a run: numbers in, numbers out. No files, no clock, no randomness but a seeded generator.
//!
//! `ranking` ranks the values of every axis by the votes between cells; `fit` finds their strengths. `effects` says how
//! much each axis changes the pictures, by `variance`; `curves` are the means of a metric along an axis.

#![forbid(unsafe_code)]

mod curves;
mod effects;
#[cfg(test)]
mod effects_tests;
mod fit;
mod mulberry32;
mod ranking;
mod variance;

pub use curves::{Curve, CurvePoint, curves};
pub use effects::{Axis, AxisValues, Effects, Share, effects};
pub use fit::{Duel, RIDGE};
pub use ranking::{AxisRanking, CERTAINTY, Lead, RESAMPLES, RankedValue, rank};
