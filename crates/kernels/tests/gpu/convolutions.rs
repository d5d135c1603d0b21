//! Convolutions, of the UNet and the autoencoder and of odd sizes.

use crate::comparison::{BOUNDS, Comparison, in_each_precision};
use candle_core::DType;
use maquette_kernels::{Add, ConvOperands, Padding};

/// One convolution.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
}

/// Rows, channels in and out, height and width, with the padding of a kernel of 3.
fn around(rows: usize, inputs: usize, outputs: usize, height: usize, width: usize) -> Shape {
    Shape { rows, inputs, outputs, height, width, kernel: 3, stride: 1, padding: Padding::Around(1) }
}

fn halving(shape: Shape, padding: Padding) -> Shape {
    Shape { stride: 2, padding, ..shape }
}

fn pointwise(shape: Shape) -> Shape {
    Shape { kernel: 1, padding: Padding::Around(0), ..shape }
}

/// Compares with a bias and each kind of sum, and without a bias.
fn check(comparison: &mut Comparison, reference: DType, shape: Shape) {
    let Shape { rows, inputs, outputs, height, width, kernel, stride, padding } = shape;
    let (before, after) = match padding {
        Padding::Around(count) => (count, count),
        Padding::After(count) => (0, count),
    };
    let size = |size: usize| (size + before + after - kernel) / stride + 1;
    let x = comparison.normal(&[rows, inputs, height, width]);
    let weight = comparison.convolution(&[outputs, inputs, kernel, kernel]);
    let bias = comparison.bias(outputs);
    let channels = comparison.normal(&[rows, 1, outputs]);
    let image = comparison.normal(&[rows, outputs, size(height), size(width)]);
    let name = format!(
        "{rows} x {inputs} -> {outputs} at {height}x{width}, kernel {kernel}, stride {stride}, {padding:?}"
    );
    let operands = [&x, &weight, &bias, &channels, &image];
    for add in ["no bias", "a bias", "channels", "an image"] {
        comparison.check_in(reference, &format!("{name}, {add}"), &operands, |kernels, operands| {
            let [x, weight, bias, channels, image] = operands else { unreachable!("five operands") };
            let bias = (add != "no bias").then_some(bias);
            let add = match add {
                "channels" => Add::Channels(channels),
                "an image" => Add::Image(image),
                _ => Add::Nothing,
            };
            kernels.conv2d(x, ConvOperands { weight, bias, stride, padding }, add)
        });
    }
}

#[test]
fn kernels_of_3() {
    in_each_precision("conv2d 3x3", BOUNDS, |comparison| {
        for shape in [
            around(2, 4, 320, 16, 16),
            around(1, 4, 320, 64, 64),
            around(2, 320, 4, 16, 16),
            around(1, 320, 320, 16, 16),
            around(1, 640, 320, 8, 8),
            around(2, 1280, 1280, 2, 2),
            around(1, 3, 128, 32, 32),
            around(1, 128, 3, 32, 32),
            around(1, 512, 8, 8, 8),
            // Few channels, odd sizes and counts.
            around(2, 8, 4, 5, 7),
            around(3, 9, 8, 7, 5),
            around(3, 5, 7, 1, 1),
            around(2, 33, 17, 1, 9),
            around(1, 16, 65, 9, 1),
            around(5, 8, 8, 13, 11),
        ] {
            check(comparison, DType::F64, shape);
        }
    });
}

#[test]
fn kernels_of_3_at_the_size_of_a_512_pixel_picture() {
    in_each_precision("conv2d 3x3, 64x64", BOUNDS, |comparison| {
        check(comparison, DType::F32, around(1, 320, 320, 64, 64));
    });
}

#[test]
fn kernels_of_3_that_halve_the_size() {
    in_each_precision("conv2d stride 2", BOUNDS, |comparison| {
        for padding in [Padding::Around(1), Padding::After(1)] {
            for shape in [
                around(1, 320, 320, 16, 16),
                around(2, 128, 128, 16, 16),
                around(3, 8, 4, 5, 7),
                around(2, 6, 10, 8, 9),
                around(2, 6, 10, 9, 8),
                around(1, 4, 4, 2, 2),
            ] {
                check(comparison, DType::F64, halving(shape, padding));
            }
        }
    });
}

#[test]
fn kernels_of_1() {
    in_each_precision("conv2d 1x1", BOUNDS, |comparison| {
        for shape in [
            around(2, 320, 640, 16, 16),
            around(1, 2560, 1280, 8, 8),
            around(1, 960, 320, 16, 16),
            around(1, 4, 4, 64, 64),
            around(2, 8, 8, 5, 7),
            around(3, 9, 5, 1, 1),
        ] {
            check(comparison, DType::F64, pointwise(shape));
        }
    });
}

/// The patches of the safety checker's vision model, and kernels that no model has.
#[test]
fn other_kernels() {
    in_each_precision("conv2d, others", BOUNDS, |comparison| {
        let patches =
            Shape { kernel: 14, stride: 14, padding: Padding::Around(0), ..around(1, 3, 96, 70, 56) };
        let five = Shape { kernel: 5, padding: Padding::Around(2), ..around(2, 6, 9, 7, 6) };
        let seven = Shape { kernel: 7, padding: Padding::Around(3), ..around(2, 2, 3, 1, 2) };
        let skipping = Shape { stride: 2, ..pointwise(around(2, 2, 3, 5, 4)) };
        for shape in [patches, five, seven, skipping] {
            check(comparison, DType::F64, shape);
        }
    });
}
