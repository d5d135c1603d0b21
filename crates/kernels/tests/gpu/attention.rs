//! Attention at the head sizes of real models and at odd ones.

use crate::comparison::{BOUNDS, Comparison, in_each_precision};
use crate::huge_attention::compare_some_queries;
use maquette_kernels::Mask;

/// Rows, queries, keys, heads, channels of a head.
type Shape = [usize; 5];

fn check(comparison: &mut Comparison, shape: Shape, deviation: f64, mask: Mask) {
    let [rows, queries, keys, heads, size] = shape;
    let q = comparison.scaled(&[rows, queries, heads * size], deviation, 0.0);
    let [k, v] = [0, 1].map(|_| comparison.normal(&[rows, keys, heads * size]));
    let name = format!(
        "{rows} rows, {queries} queries, {keys} keys, {heads} heads of {size}, {mask:?}, queries times {deviation}"
    );
    comparison.check(&name, &[&q, &k, &v], |kernels, operands| {
        let [q, k, v] = operands else { unreachable!("three operands") };
        kernels.attention(q, k, v, heads, mask)
    });
}

#[test]
fn to_the_same_positions() {
    in_each_precision("self-attention", BOUNDS, |comparison| {
        for shape in [
            [2, 256, 256, 8, 40],
            [1, 256, 256, 8, 80],
            [2, 64, 64, 8, 160],
            [1, 256, 256, 10, 64],
            [1, 256, 256, 1, 512],
            [2, 130, 130, 2, 16],
            [3, 35, 35, 3, 8],
            [2, 33, 33, 5, 4],
            [2, 7, 7, 2, 5],
            [2, 1, 1, 1, 8],
        ] {
            check(comparison, shape, 1.0, Mask::None);
        }
    });
}

#[test]
fn to_the_tokens_of_a_prompt() {
    in_each_precision("cross-attention", BOUNDS, |comparison| {
        for shape in [
            [2, 256, 77, 8, 40],
            [2, 64, 154, 8, 80],
            [1, 64, 231, 8, 160],
            [2, 256, 77, 10, 64],
            [3, 35, 77, 2, 4],
            [2, 130, 77, 4, 10],
            [1, 40, 1100, 3, 8],
            [2, 1, 77, 2, 16],
            [2, 77, 1, 2, 16],
        ] {
            check(comparison, shape, 1.0, Mask::None);
        }
    });
}

#[test]
fn up_to_the_own_position() {
    in_each_precision("causal attention", BOUNDS, |comparison| {
        for shape in [
            [1, 77, 77, 12, 64],
            [2, 77, 77, 16, 64],
            [1, 77, 77, 20, 64],
            [2, 77, 77, 5, 8],
            [1, 130, 130, 2, 16],
            [2, 9, 9, 3, 5],
            [1, 1, 1, 1, 8],
        ] {
            check(comparison, shape, 1.0, Mask::Causal);
        }
    });
}

/// Scores of up to several hundred, whose powers overflow if the largest is not subtracted first.
///
/// Probabilities are then near 0 and 1, and the rounding of a score shows in full: in half precision with scores in that
/// precision 2^-11 of 300 would be 15 %. The bounds are those of scores in f32, whose products are rounded only there.
#[test]
fn with_large_scores() {
    in_each_precision("attention, large", [2e-4, 4e-3, 2e-2], |comparison| {
        for shape in [[1, 256, 256, 8, 40], [1, 64, 77, 8, 160], [1, 64, 64, 1, 512], [2, 33, 33, 3, 8]] {
            check(comparison, shape, 64.0, Mask::None);
        }
        check(comparison, [1, 77, 77, 12, 64], 64.0, Mask::Causal);
    });
}

/// Of a 512-pixel picture, with all its heads.
#[test]
fn to_4096_positions() {
    in_each_precision("attention, 4096", BOUNDS, |comparison| {
        compare_some_queries(comparison, [2, 4096, 4096, 8, 40], Mask::None);
        compare_some_queries(comparison, [1, 4096, 4096, 1, 512], Mask::None);
        compare_some_queries(comparison, [2, 4096, 77, 8, 40], Mask::None);
        compare_some_queries(comparison, [1, 4096, 4096, 5, 64], Mask::None);
    });
}
