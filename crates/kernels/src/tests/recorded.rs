//! The gradients of the recorded kernels against those of the reference.

use super::*;
use crate::recomputed::Recomputed;
use crate::reference::Reference;
use candle_core::Var;
use std::collections::HashMap;

/// The sets whose calls are recorded.
fn sets() -> [&'static dyn Kernels; 2] {
    [training(&Device::Cpu, DType::F32), &Recomputed(Reference)]
}

/// Compares result and gradients of every operand, which all train, and those of the first operand alone.
fn check(operands: &[Tensor], run: impl Fn(&dyn Kernels, &[Tensor]) -> Result<Tensor>) {
    for trained in [operands.len(), 1] {
        let variables: Vec<Var> = operands[..trained].iter().map(|x| Var::from_tensor(x).unwrap()).collect();
        let mut tensors: Vec<Tensor> =
            variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        tensors.extend(operands[trained..].iter().cloned());
        let expected = run(reference(), &tensors).unwrap();
        let slope = numbers(expected.dims(), 77);
        let by_candle = (&expected * &slope).unwrap().sum_all().unwrap().backward().unwrap();

        for kernels in sets() {
            let (found, recording) = record(Keep::Calls, || run(kernels, &tensors).unwrap());
            assert_close(&found, &expected, 2e-6);
            let leaves = recording.backward(&found, slope.clone()).unwrap();
            let found: HashMap<_, _> =
                leaves.into_iter().map(|(leaf, gradient)| (leaf.id(), gradient)).collect();
            assert_eq!(found.len(), trained);
            for variable in &variables {
                assert_close(&found[&variable.id()], by_candle.get(variable).unwrap(), 2e-5);
            }
        }
    }
}

#[test]
fn of_convolutions() {
    for ([inputs, outputs], [height, width], kernel, stride, padding) in [
        ([3, 4], [5, 6], 3, 1, Padding::Around(1)),
        ([32, 16], [9, 11], 3, 1, Padding::Around(1)),
        ([16, 32], [10, 12], 3, 2, Padding::Around(1)),
        ([3, 4], [5, 6], 3, 2, Padding::Around(1)),
        ([3, 4], [6, 8], 3, 2, Padding::After(1)),
        ([24, 5], [4, 3], 1, 1, Padding::Around(0)),
        ([3, 4], [9, 9], 7, 1, Padding::Around(3)),
    ] {
        let operands = [
            numbers(&[2, inputs, height, width], 1),
            conv_weight(inputs, outputs, kernel),
            numbers(&[outputs], 2),
        ];
        let conv = |kernels: &dyn Kernels, of: &[Tensor], add: Add| {
            kernels.conv2d(&of[0], ConvOperands { weight: &of[1], bias: Some(&of[2]), stride, padding }, add)
        };
        let shape = conv(reference(), &operands, Add::Nothing).unwrap().shape().clone();
        check(&operands, |kernels, of| conv(kernels, of, Add::Nothing));
        let with = |more: Tensor| [&operands[..], &[more]].concat();
        check(&with(numbers(&[2, 1, outputs], 3)), |kernels, of| conv(kernels, of, Add::Channels(&of[3])));
        check(&with(numbers(shape.dims(), 4)), |kernels, of| conv(kernels, of, Add::Image(&of[3])));
        check(&operands[..2], |kernels, of| {
            kernels.conv2d(&of[0], ConvOperands { weight: &of[1], bias: None, stride, padding }, Add::Nothing)
        });
    }
}

#[test]
fn of_linear_layers() {
    let layer = |of: &[Tensor]| (of[1].clone(), of[2].clone());
    for (inputs, outputs) in [(5, 4), (70, 33)] {
        let (weight, bias) = (linear_weight(inputs, outputs), numbers(&[outputs], 2));
        let tokens =
            [numbers(&[2, 60, inputs], 3), weight.clone(), bias.clone(), numbers(&[2, 60, outputs], 4)];
        let with = |of: &[Tensor], run: &dyn Fn(LinearOperands) -> Result<Tensor>| {
            let (weight, bias) = layer(of);
            run(LinearOperands { weight: &weight, bias: Some(&bias) })
        };
        check(&tokens[..3], |kernels, of| with(of, &|layer| kernels.linear(&of[0], layer, None)));
        check(&tokens, |kernels, of| with(of, &|layer| kernels.linear(&of[0], layer, Some(&of[3]))));
        let image = [numbers(&[2, inputs, 12, 5], 3), weight, bias, numbers(&[2, outputs, 12, 5], 4)];
        check(&image[..3], |kernels, of| with(of, &|layer| kernels.image_to_tokens(&of[0], layer)));
        let tokens = [&tokens[..3], &image[3..]].concat();
        check(&tokens, |kernels, of| with(of, &|layer| kernels.tokens_to_image(&of[0], layer, &of[3])));
    }
}

#[test]
fn of_norms() {
    for [height, width] in [[3, 5], [12, 13]] {
        let operands = [numbers(&[2, 12, height, width], 1), numbers(&[12], 2), numbers(&[12], 3)];
        for then in [Activation::None, Activation::Silu] {
            check(&operands, |kernels, of| {
                kernels.group_norm(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps: 1e-5 }, 3, then)
            });
        }
    }
    let operands = [numbers(&[2, 150, 24], 1), numbers(&[24], 2), numbers(&[24], 3)];
    check(&operands, |kernels, of| {
        kernels.layer_norm(&of[0], NormOperands { weight: &of[1], bias: &of[2], eps: 1e-5 })
    });
}

#[test]
fn of_attention() {
    for (queries, keys, mask) in [(7, 5, Mask::None), (300, 77, Mask::None), (21, 21, Mask::Causal)] {
        let operands =
            [numbers(&[2, queries, 12], 1), numbers(&[2, keys, 12], 2), numbers(&[2, keys, 12], 3)];
        check(&operands, |kernels, of| kernels.attention(&of[0], &of[1], &of[2], 3, mask));
    }
}

#[test]
fn of_activations_and_sizes() {
    let x = (numbers(&[2, 40, 24], 1) * 3.0).unwrap();
    check(std::slice::from_ref(&x), |kernels, of| kernels.geglu(&of[0]));
    check(std::slice::from_ref(&x), |kernels, of| kernels.gelu(&of[0]));
    check(std::slice::from_ref(&x), |kernels, of| kernels.quick_gelu(&of[0]));
    check(&[x], |kernels, of| kernels.silu(&of[0]));
    let image = numbers(&[2, 6, 3, 4], 2);
    for (height, width) in [(6, 8), (5, 7)] {
        check(std::slice::from_ref(&image), |kernels, of| kernels.upsample_nearest(&of[0], height, width));
    }
    check(&[image, numbers(&[2, 3, 3, 4], 3)], |kernels, of| kernels.concat(&of[0], &of[1]));
}

/// Gradients of a tensor that is used twice are added, and candle goes on from what it computed itself.
#[test]
fn of_several_uses_and_of_what_candle_computed() {
    let variable = Var::from_tensor(&numbers(&[2, 3, 4], 1)).unwrap();
    let run = |kernels: &dyn Kernels| {
        let doubled = (variable.as_tensor() * 2.0)?;
        let weight = linear_weight(4, 4);
        let layer = LinearOperands { weight: &weight, bias: None };
        let once = kernels.linear(&doubled, layer, None)?;
        kernels.linear(&once, layer, Some(&doubled))
    };
    let expected = run(reference()).unwrap().sum_all().unwrap().backward().unwrap();
    let (found, recording) = record(Keep::Calls, || run(training(&Device::Cpu, DType::F32)).unwrap());
    let ones = found.ones_like().unwrap();
    let leaves = recording.backward(&found, ones).unwrap();
    let [(leaf, gradient)] = &leaves[..] else { panic!("one leaf") };
    let rest = (leaf * gradient).unwrap().sum_all().unwrap().backward().unwrap();
    assert_close(rest.get(&variable).unwrap(), expected.get(&variable).unwrap(), 1e-6);
    // Outside of a recording nothing is kept.
    assert!(!run(training(&Device::Cpu, DType::F32)).unwrap().track_op());
}
