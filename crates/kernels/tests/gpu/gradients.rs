//! The gradients of the kernels for training, of all operands and of the first alone.

use crate::comparison::{Comparison, Operand, device, in_each_precision, relative_error, values};
use candle_core::{DType, Result, Tensor, Var};
use maquette_kernels::{
    Activation, Add, ConvOperands, Keep, Kernels, LinearOperands, Mask, NormOperands, Padding, record,
    reference, training,
};

/// For each precision: gradients are sums of products whose factors were rounded before.
const BOUNDS: [f64; 3] = [5e-5, 5e-3, 4e-2];

fn check(
    comparison: &mut Comparison,
    case: &str,
    operands: &[Operand],
    run: impl Fn(&dyn Kernels, &[Tensor]) -> Result<Tensor>,
) {
    // Nothing trains in f16.
    if comparison.dtype == DType::F16 {
        return;
    }
    for trained in [operands.len(), 1] {
        let variables = |of: fn(&Operand) -> Result<Tensor>| -> (Vec<Var>, Vec<Tensor>) {
            let all: Vec<Tensor> = operands.iter().map(|operand| of(operand).unwrap()).collect();
            let variables: Vec<Var> = all[..trained].iter().map(|x| Var::from_tensor(x).unwrap()).collect();
            let tensors = variables.iter().map(|variable| variable.as_tensor().clone());
            (variables.clone(), tensors.chain(all[trained..].iter().cloned()).collect())
        };
        let (exact, tensors) = variables(|operand| operand.exact.to_dtype(DType::F64));
        let result = run(reference(), &tensors).unwrap();
        let slope = comparison.normal(result.dims());
        let sum = (&result * slope.exact.to_dtype(DType::F64).unwrap()).unwrap().sum_all().unwrap();
        let expected = sum.backward().unwrap();

        let (tested, tensors) = variables(|operand| Ok(operand.tested.clone()));
        let kernels = training(device(), comparison.dtype);
        let found = record(Keep::Calls, || run(kernels, &tensors));
        let found = match found {
            (Ok(result), recording) => recording.backward(&result, slope.tested),
            (Err(error), _) => Err(error),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                comparison.fail(case, &error);
                continue;
            }
        };
        for (at, (exact, tested)) in exact.iter().zip(&tested).enumerate() {
            let name = format!("{case}, operand {at} of {trained}");
            let Some((_, found)) = found.iter().find(|(leaf, _)| leaf.id() == tested.id()) else {
                comparison.record(&name, f64::NAN);
                continue;
            };
            let expected = expected.get(exact).unwrap();
            assert_eq!(found.shape(), expected.shape(), "{name}");
            let error = relative_error(&values(found).unwrap(), &values(expected).unwrap());
            comparison.record(&name, error);
        }
    }
}

#[test]
fn of_convolutions() {
    in_each_precision("gradient, conv2d", BOUNDS, |comparison| {
        for (batch, [inputs, outputs], [height, width], kernel, stride, padding) in [
            (2, [16, 24], [12, 10], 3, 1, Padding::Around(1)),
            (2, [5, 3], [7, 9], 3, 1, Padding::Around(1)),
            (3, [16, 8], [12, 10], 3, 2, Padding::Around(1)),
            (2, [8, 8], [9, 7], 3, 2, Padding::Around(1)),
            (2, [8, 4], [8, 6], 3, 2, Padding::After(1)),
            (2, [40, 16], [6, 5], 1, 1, Padding::Around(0)),
            (1, [8, 8], [9, 9], 7, 1, Padding::Around(3)),
        ] {
            let operands = vec![
                comparison.normal(&[batch, inputs, height, width]),
                comparison.weight(&[outputs, inputs, kernel, kernel], inputs * kernel * kernel),
                comparison.bias(outputs),
            ];
            let conv = |kernels: &dyn Kernels, of: &[Tensor], add: Add| {
                let conv = ConvOperands { weight: &of[1], bias: Some(&of[2]), stride, padding };
                kernels.conv2d(&of[0], conv, add)
            };
            let case = format!(
                "{batch} x {inputs} -> {outputs} at {height}x{width}, kernel {kernel}, stride {stride}"
            );
            check(comparison, &case, &operands, |kernels, of| conv(kernels, of, Add::Nothing));
            let shift = [&operands[..], &[comparison.normal(&[batch, 1, outputs])]].concat();
            check(comparison, &format!("{case}, a shift"), &shift, |kernels, of| {
                conv(kernels, of, Add::Channels(&of[3]))
            });
        }
    });
}

#[test]
fn of_convolutions_of_a_512_pixel_picture() {
    in_each_precision("gradient, conv2d 64x64", BOUNDS, |comparison| {
        let operands = [comparison.normal(&[1, 320, 64, 64]), comparison.weight(&[64, 320, 3, 3], 2880)];
        check(comparison, "320 -> 64", &operands, |kernels, of| {
            let conv = ConvOperands { weight: &of[1], bias: None, stride: 1, padding: Padding::Around(1) };
            kernels.conv2d(&of[0], conv, Add::Nothing)
        });
    });
}

#[test]
fn of_linear_layers() {
    in_each_precision("gradient, linear", BOUNDS, |comparison| {
        for (tokens, inputs, outputs) in [(60, 40, 24), (77, 5, 9)] {
            let operands = vec![
                comparison.normal(&[2, tokens, inputs]),
                comparison.weight(&[inputs, outputs], inputs),
                comparison.bias(outputs),
                comparison.normal(&[2, tokens, outputs]),
            ];
            let case = format!("{inputs} -> {outputs}");
            check(comparison, &case, &operands, |kernels, of| {
                let linear = LinearOperands { weight: &of[1], bias: Some(&of[2]) };
                kernels.linear(&of[0], linear, Some(&of[3]))
            });
        }
        let image =
            vec![comparison.normal(&[2, 16, 5, 6]), comparison.weight(&[16, 24], 16), comparison.bias(24)];
        check(comparison, "image to tokens", &image, |kernels, of| {
            kernels.image_to_tokens(&of[0], LinearOperands { weight: &of[1], bias: Some(&of[2]) })
        });
        let tokens = vec![
            comparison.normal(&[2, 30, 16]),
            comparison.weight(&[16, 24], 16),
            comparison.bias(24),
            comparison.normal(&[2, 24, 5, 6]),
        ];
        check(comparison, "tokens to image", &tokens, |kernels, of| {
            let linear = LinearOperands { weight: &of[1], bias: Some(&of[2]) };
            kernels.tokens_to_image(&of[0], linear, &of[3])
        });
    });
}

#[test]
fn of_attention() {
    in_each_precision("gradient, attention", BOUNDS, |comparison| {
        for (queries, keys, heads, head, mask) in [
            (64, 64, 8, 40, Mask::None),
            (300, 77, 2, 64, Mask::None),
            (256, 256, 2, 64, Mask::None),
            (9, 5, 3, 7, Mask::None),
            (77, 77, 2, 64, Mask::Causal),
        ] {
            let operands: Vec<Operand> =
                [queries, keys, keys].map(|tokens| comparison.normal(&[2, tokens, heads * head])).into();
            let case = format!("{queries} to {keys}, {heads} heads of {head}, {mask:?}");
            check(comparison, &case, &operands, |kernels, of| {
                kernels.attention(&of[0], &of[1], &of[2], heads, mask)
            });
        }
    });
}

#[test]
fn of_norms_and_the_rest() {
    in_each_precision("gradient, others", BOUNDS, |comparison| {
        let image = comparison.normal(&[2, 32, 6, 5]);
        let norm = [image.clone(), comparison.parameter(&[32], 0.3, 1.0), comparison.bias(32)];
        check(comparison, "group norm", &norm, |kernels, of| {
            let norm = NormOperands { weight: &of[1], bias: &of[2], eps: 1e-5 };
            kernels.group_norm(&of[0], norm, 8, Activation::Silu)
        });
        let tokens = comparison.normal(&[2, 30, 32]);
        let norm = [tokens.clone(), norm[1].clone(), norm[2].clone()];
        check(comparison, "layer norm", &norm, |kernels, of| {
            kernels.layer_norm(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps: 1e-5 })
        });
        check(comparison, "geglu", &[tokens], |kernels, of| kernels.geglu(&of[0]));
        for size in [(12, 10), (18, 15), (7, 9)] {
            check(comparison, "upsample", std::slice::from_ref(&image), |kernels, of| {
                kernels.upsample_nearest(&of[0], size.0, size.1)
            });
        }
        let pair = [image, comparison.normal(&[2, 5, 6, 5])];
        check(comparison, "concat", &pair, |kernels, of| kernels.concat(&of[0], &of[1]));
    });
}
