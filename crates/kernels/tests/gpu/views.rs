//! Operands that are views: transposed, or a part of a larger tensor. The results are those of contiguous ones.

use crate::comparison::{BOUNDS, Comparison, Operand, in_each_precision};
use candle_core::{Result, Tensor};
use maquette_kernels::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands, Padding};

/// A way to lay out the same values.
#[derive(Debug, Clone, Copy)]
enum View {
    /// The last two axes in the other order in memory.
    Transposed,
    /// The second axis is the last one in memory: an image with its channels last.
    ChannelsLast,
    /// A part of a tensor that is larger on the second axis; it begins after the tensor's first value.
    Narrowed,
    /// A row of a batch.
    Row,
}

impl View {
    fn of(self, x: &Tensor) -> Result<Tensor> {
        let rank = x.dims().len();
        match self {
            View::Transposed => x.transpose(rank - 2, rank - 1)?.contiguous()?.transpose(rank - 2, rank - 1),
            View::ChannelsLast if rank == 4 => x.permute((0, 2, 3, 1))?.contiguous()?.permute((0, 3, 1, 2)),
            View::ChannelsLast => x.transpose(1, 2)?.contiguous()?.transpose(1, 2),
            View::Narrowed => Tensor::cat(&[x, x, x], 1)?.narrow(1, x.dim(1)?, x.dim(1)?),
            View::Row => Tensor::cat(&[x, x], 0)?.narrow(0, x.dim(0)?, x.dim(0)?),
        }
    }

    fn operand(self, operand: &Operand) -> Operand {
        Operand { tested: self.of(&operand.tested).unwrap(), exact: operand.exact.clone() }
    }
}

/// Compares with views of the first `views` operands.
fn check(
    operation: &str,
    views: usize,
    operands: impl Fn(&mut Comparison) -> Vec<Operand>,
    run: impl Fn(&dyn Kernels, &[Tensor]) -> Result<Tensor>,
) {
    in_each_precision(&format!("view, {operation}"), BOUNDS, |comparison| {
        let operands = operands(comparison);
        for view in [View::Transposed, View::ChannelsLast, View::Narrowed, View::Row] {
            let viewed = operands.iter().take(views).map(|operand| view.operand(operand));
            let all: Vec<Operand> = viewed.chain(operands.iter().skip(views).cloned()).collect();
            let all: Vec<&Operand> = all.iter().collect();
            comparison.check(&format!("{view:?}"), &all, &run);
        }
    });
}

#[test]
fn of_convolutions() {
    let operands = |comparison: &mut Comparison| {
        let x = comparison.normal(&[2, 8, 6, 10]);
        let image = comparison.normal(&[2, 12, 6, 10]);
        vec![x, image, comparison.weight(&[12, 8, 3, 3], 72), comparison.bias(12)]
    };
    // The weight's layout is also that of files here, not the one that the kernels store.
    check("conv2d", 3, operands, |kernels, operands| {
        let [x, image, weight, bias] = operands else { unreachable!("four operands") };
        let conv = ConvOperands { weight, bias: Some(bias), stride: 1, padding: Padding::Around(1) };
        kernels.conv2d(x, conv, Add::Image(image))
    });
}

#[test]
fn of_linear_layers() {
    let operands = |comparison: &mut Comparison| {
        let (x, residual) = (comparison.normal(&[2, 24, 16]), comparison.normal(&[2, 24, 32]));
        vec![x, residual, comparison.weight(&[16, 32], 16), comparison.bias(32)]
    };
    check("linear", 2, operands, |kernels, operands| {
        let [x, residual, weight, bias] = operands else { unreachable!("four operands") };
        kernels.linear(x, LinearOperands { weight, bias: Some(bias) }, Some(residual))
    });
}

#[test]
fn of_linear_layers_on_images() {
    let to_tokens = |comparison: &mut Comparison| {
        vec![comparison.normal(&[2, 16, 4, 6]), comparison.weight(&[16, 32], 16), comparison.bias(32)]
    };
    check("to tokens", 1, to_tokens, |kernels, operands| {
        let [x, weight, bias] = operands else { unreachable!("three operands") };
        kernels.image_to_tokens(x, LinearOperands { weight, bias: Some(bias) })
    });
    let to_image = |comparison: &mut Comparison| {
        let (x, residual) = (comparison.normal(&[2, 24, 16]), comparison.normal(&[2, 32, 4, 6]));
        vec![x, residual, comparison.weight(&[16, 32], 16), comparison.bias(32)]
    };
    check("to image", 2, to_image, |kernels, operands| {
        let [x, residual, weight, bias] = operands else { unreachable!("four operands") };
        kernels.tokens_to_image(x, LinearOperands { weight, bias: Some(bias) }, residual)
    });
}

#[test]
fn of_norms() {
    let parameters =
        |comparison: &mut Comparison| (comparison.parameter(&[16], 0.2, 1.0), comparison.bias(16));
    let image = |comparison: &mut Comparison| {
        let (x, (weight, bias)) = (comparison.normal(&[2, 16, 5, 6]), parameters(comparison));
        vec![x, weight, bias]
    };
    check("group_norm", 1, image, |kernels, operands| {
        let [x, weight, bias] = operands else { unreachable!("three operands") };
        kernels.group_norm(x, NormOperands { weight, bias, eps: 1e-5 }, 4, Activation::Silu)
    });
    let tokens = |comparison: &mut Comparison| {
        let (x, (weight, bias)) = (comparison.normal(&[2, 30, 16]), parameters(comparison));
        vec![x, weight, bias]
    };
    check("layer_norm", 1, tokens, |kernels, operands| {
        let [x, weight, bias] = operands else { unreachable!("three operands") };
        kernels.layer_norm(x, NormOperands { weight, bias, eps: 1e-5 })
    });
}

#[test]
fn of_attention() {
    let operands = |comparison: &mut Comparison| {
        [48, 77, 77].map(|count| comparison.normal(&[2, count, 32])).into_iter().collect()
    };
    check("attention", 3, operands, |kernels, operands| {
        let [q, k, v] = operands else { unreachable!("three operands") };
        kernels.attention(q, k, v, 4, Mask::None)
    });
}

#[test]
fn of_activations() {
    let tokens = |comparison: &mut Comparison| vec![comparison.normal(&[2, 9, 16])];
    check("geglu", 1, tokens, |kernels, x| kernels.geglu(&x[0]));
    check("gelu", 1, tokens, |kernels, x| kernels.gelu(&x[0]));
    check("quick_gelu", 1, tokens, |kernels, x| kernels.quick_gelu(&x[0]));
    check("silu", 1, tokens, |kernels, x| kernels.silu(&x[0]));
}

#[test]
fn of_copies() {
    let image = |comparison: &mut Comparison| vec![comparison.normal(&[2, 5, 4, 6])];
    check("upsample_nearest", 1, image, |kernels, x| kernels.upsample_nearest(&x[0], 8, 11));
    let images = |comparison: &mut Comparison| {
        vec![comparison.normal(&[2, 5, 4, 6]), comparison.normal(&[2, 8, 4, 6])]
    };
    check("concat", 2, images, |kernels, x| kernels.concat(&x[0], &x[1]));
}
