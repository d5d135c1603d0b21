//! Every operation of the kernels that `select` chooses for a GPU against the reference on the CPU in f64, at the shapes
//! of real models and at odd ones, in each precision.
//!
//! Compiled only in builds with a GPU's feature, so that a test that cannot run does not pass. One test for each
//! operation; each prints its lines of one table with `--nocapture --test-threads=1`:
//!
//! ```text
//! cargo test --release -p maquette-kernels --features cuda --test gpu -- --nocapture --test-threads=1
//! ```
//!
//! `MAQUETTE_TEST_DEVICE` chooses the device: `cuda`, `cuda:N`, `metal`, or `cpu` to check the tests themselves.

// The table of the results.
#![allow(clippy::print_stdout)]

mod activations;
mod attention;
mod comparison;
mod convolutions;
mod gradients;
mod huge_attention;
mod linear;
mod norms;
mod numbers;
mod views;
