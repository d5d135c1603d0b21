//! Linear layers on tokens and on images, and plain products.

use crate::comparison::{BOUNDS, Comparison, Operand, in_each_precision};
use maquette_kernels::LinearOperands;

/// Rows, tokens, channels in and out.
const TOKENS: [[usize; 4]; 12] = [
    [1, 256, 320, 320],
    [2, 64, 640, 2560],
    [2, 64, 1280, 640],
    [1, 64, 320, 2560],
    [2, 77, 768, 320],
    [1, 77, 768, 3072],
    [3, 77, 1024, 64],
    [1, 1, 320, 1280],
    [2, 1, 1280, 320],
    // Counts that are no multiples of 8.
    [2, 5, 9, 7],
    [3, 1, 5, 3],
    [5, 33, 31, 65],
];

/// Rows, height, width, channels in and out.
const IMAGES: [[usize; 5]; 6] = [
    [2, 16, 16, 320, 320],
    [1, 8, 8, 1280, 1280],
    [1, 8, 8, 512, 512],
    [2, 5, 7, 8, 12],
    [3, 1, 1, 9, 5],
    [1, 13, 11, 33, 17],
];

fn layer(comparison: &mut Comparison, inputs: usize, outputs: usize) -> (Operand, Operand) {
    (comparison.weight(&[inputs, outputs], inputs), comparison.bias(outputs))
}

#[test]
fn linear() {
    in_each_precision("linear", BOUNDS, |comparison| {
        for [rows, tokens, inputs, outputs] in TOKENS {
            let x = comparison.normal(&[rows, tokens, inputs]);
            let residual = comparison.normal(&[rows, tokens, outputs]);
            let (weight, bias) = layer(comparison, inputs, outputs);
            for (with_bias, with_residual) in [(false, false), (true, false), (false, true), (true, true)] {
                let name = format!(
                    "{rows} x {tokens}, {inputs} -> {outputs}, bias {with_bias}, residual {with_residual}"
                );
                let operands = [&x, &weight, &bias, &residual];
                comparison.check(&name, &operands, |kernels, operands| {
                    let [x, weight, bias, residual] = operands else { unreachable!("four operands") };
                    let layer = LinearOperands { weight, bias: with_bias.then_some(bias) };
                    kernels.linear(x, layer, with_residual.then_some(residual))
                });
            }
        }
    });
}

#[test]
fn image_to_tokens() {
    in_each_precision("image_to_tokens", BOUNDS, |comparison| {
        for [rows, height, width, inputs, outputs] in IMAGES {
            let x = comparison.normal(&[rows, inputs, height, width]);
            let (weight, bias) = layer(comparison, inputs, outputs);
            for with_bias in [false, true] {
                let name = format!("{rows} x {height}x{width}, {inputs} -> {outputs}, bias {with_bias}");
                comparison.check(&name, &[&x, &weight, &bias], |kernels, operands| {
                    let [x, weight, bias] = operands else { unreachable!("three operands") };
                    kernels.image_to_tokens(x, LinearOperands { weight, bias: with_bias.then_some(bias) })
                });
            }
        }
    });
}

#[test]
fn tokens_to_image() {
    in_each_precision("tokens_to_image", BOUNDS, |comparison| {
        for [rows, height, width, inputs, outputs] in IMAGES {
            let x = comparison.normal(&[rows, height * width, inputs]);
            let residual = comparison.normal(&[rows, outputs, height, width]);
            let (weight, bias) = layer(comparison, inputs, outputs);
            for with_bias in [false, true] {
                let name = format!("{rows} x {height}x{width}, {inputs} -> {outputs}, bias {with_bias}");
                comparison.check(&name, &[&x, &weight, &bias, &residual], |kernels, operands| {
                    let [x, weight, bias, residual] = operands else { unreachable!("four operands") };
                    let layer = LinearOperands { weight, bias: with_bias.then_some(bias) };
                    kernels.tokens_to_image(x, layer, residual)
                });
            }
        }
    });
}

/// Of LoRA's factors: few columns and rows.
#[test]
fn product() {
    in_each_precision("product", BOUNDS, |comparison| {
        for [m, k, n] in [[320, 4, 320], [1280, 128, 640], [320, 16, 2880], [7, 9, 5], [1, 1, 1], [5, 33, 1]]
        {
            let (left, right) = (comparison.normal(&[m, k]), comparison.weight(&[k, n], k));
            let right = comparison.activation(&right.exact);
            comparison.check(&format!("{m}, {k}, {n}"), &[&left, &right], |kernels, operands| {
                kernels.product(&operands[0], &operands[1])
            });
            // As the factors are in files, with the right one transposed.
            let right = comparison.activation(&right.exact.t().unwrap().contiguous().unwrap());
            comparison.check(&format!("{m}, {k}, {n}, transposed"), &[&left, &right], |kernels, operands| {
                kernels.product(&operands[0], &operands[1].t()?)
            });
        }
    });
}
