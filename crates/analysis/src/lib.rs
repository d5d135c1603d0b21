//! Statistics of a run: a ranking of values from votes, the pair to ask for next, and how much each axis changes the pictures. Numbers in, numbers out.

mod curves;
mod effects;
#[cfg(test)]
mod effects_tests;
mod variance;

pub use curves::{Curve, CurvePoint, curves};
pub use effects::{Axis, AxisValues, Effects, Share, effects};
