//! Norms, also of values whose mean is far from 0.

use crate::comparison::{BOUNDS, Comparison, in_each_precision};
use maquette_kernels::{Activation, NormOperands};

/// For values of mean 100 and deviation 1. A sum of squares minus the square of the mean loses four of f32's seven
/// digits and gives 1e-3 or more; sums of differences lose only what the mean itself does.
const FAR_BOUNDS: [f64; 3] = [2e-4, 2e-3, 1.5e-2];

/// Rows, channels, groups, height, width.
const IMAGES: [[usize; 5]; 13] = [
    [2, 320, 32, 16, 16],
    [1, 320, 32, 64, 64],
    [2, 640, 32, 8, 8],
    [1, 960, 32, 8, 8],
    [2, 1280, 32, 4, 4],
    [1, 1920, 32, 4, 4],
    [1, 2560, 32, 8, 8],
    [1, 128, 32, 64, 64],
    [1, 512, 32, 8, 8],
    [3, 8, 4, 5, 7],
    [2, 16, 4, 1, 1],
    [2, 10, 2, 33, 41],
    [3, 12, 12, 3, 5],
];

/// Rows, tokens, channels.
const TOKENS: [[usize; 3]; 8] = [
    [2, 256, 320],
    [2, 64, 640],
    [1, 77, 768],
    [1, 77, 1024],
    [2, 64, 1280],
    [3, 5, 8],
    [2, 3, 33],
    [1, 1, 2],
];

fn check_groups(comparison: &mut Comparison, deviation: f64, mean: f64) {
    for [rows, channels, groups, height, width] in IMAGES {
        let x = comparison.scaled(&[rows, channels, height, width], deviation, mean);
        let (weight, bias) = (comparison.parameter(&[channels], 0.2, 1.0), comparison.bias(channels));
        for (then, eps) in [(Activation::None, 1e-6), (Activation::Silu, 1e-5)] {
            let name = format!("{rows} x {channels} in {groups} groups, {height}x{width}, then {then:?}");
            comparison.check(&name, &[&x, &weight, &bias], |kernels, operands| {
                let [x, weight, bias] = operands else { unreachable!("three operands") };
                kernels.group_norm(x, NormOperands { weight, bias, eps }, groups, then)
            });
        }
    }
}

fn check_tokens(comparison: &mut Comparison, deviation: f64, mean: f64) {
    for [rows, tokens, channels] in TOKENS {
        let x = comparison.scaled(&[rows, tokens, channels], deviation, mean);
        let (weight, bias) = (comparison.parameter(&[channels], 0.2, 1.0), comparison.bias(channels));
        comparison.check(&format!("{rows} x {tokens} x {channels}"), &[&x, &weight, &bias], |kernels, x| {
            let [x, weight, bias] = x else { unreachable!("three operands") };
            kernels.layer_norm(x, NormOperands { weight, bias, eps: 1e-5 })
        });
    }
}

#[test]
fn group_norm() {
    in_each_precision("group_norm", BOUNDS, |comparison| check_groups(comparison, 1.0, 0.0));
}

#[test]
fn group_norm_far_from_0() {
    in_each_precision("group_norm, far", FAR_BOUNDS, |comparison| check_groups(comparison, 1.0, 100.0));
}

/// Squares of these overflow in f16, and sums of the small ones' squares vanish in it.
#[test]
fn group_norm_of_large_and_small_values() {
    in_each_precision("group_norm, large", BOUNDS, |comparison| check_groups(comparison, 2000.0, 0.0));
    in_each_precision("group_norm, small", BOUNDS, |comparison| check_groups(comparison, 1e-3, 0.0));
}

#[test]
fn layer_norm() {
    in_each_precision("layer_norm", BOUNDS, |comparison| check_tokens(comparison, 1.0, 0.0));
    in_each_precision("layer_norm, large", BOUNDS, |comparison| check_tokens(comparison, 2000.0, 0.0));
}

#[test]
fn layer_norm_far_from_0() {
    in_each_precision("layer_norm, far", FAR_BOUNDS, |comparison| check_tokens(comparison, 1.0, 100.0));
}
