//! The reference's gradients against numerical ones in f64.

use super::*;
use candle_core::Var;

/// Compares each operand's gradient of a weighted sum of the result with central differences.
fn check(operands: &[Tensor], run: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let wide = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
    let variables: Vec<Var> = operands.iter().map(|x| Var::from_tensor(&wide(x)).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let loss = |tensors: &[Tensor]| {
        let out = run(tensors).unwrap();
        (&out * wide(&numbers(out.dims(), 77))).unwrap().sum_all().unwrap()
    };
    let gradients = loss(&tensors).backward().unwrap();
    for (place, operand) in tensors.iter().enumerate() {
        let found = values(gradients.get(operand).unwrap_or_else(|| panic!("operand {place} has none")));
        let scale = found.iter().fold(0f64, |most, x| most.max(x.abs()));
        // All values of small operands, a sample of large ones.
        for i in (0..found.len()).step_by(found.len().div_ceil(40)) {
            let moved = |step: f64| {
                let mut moved = values(operand);
                moved[i] += step;
                let moved = Tensor::from_vec(moved, operand.shape(), &Device::Cpu).unwrap();
                let mut tensors: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
                tensors[place] = moved;
                loss(&tensors).to_scalar::<f64>().unwrap()
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            let difference = (found[i] - slope).abs();
            assert!(difference <= 1e-5 * scale, "operand {place}, number {i}: {}, not {slope}", found[i]);
        }
    }
}

#[test]
fn of_convolutions() {
    for ([height, width], kernel, stride, padding) in [
        ([5, 6], 3, 1, Padding::Around(1)),
        ([5, 6], 3, 2, Padding::Around(1)),
        ([5, 4], 3, 2, Padding::After(1)),
        ([6, 7], 3, 2, Padding::After(1)),
        ([4, 3], 1, 1, Padding::Around(0)),
        ([1, 2], 7, 1, Padding::Around(3)),
        ([1, 1], 3, 1, Padding::Around(1)),
    ] {
        let operands = [numbers(&[2, 3, height, width], 1), conv_weight(3, 4, kernel), numbers(&[4], 2)];
        let conv = |of: &[Tensor], add: Add| {
            let conv = ConvOperands { weight: &of[1], bias: Some(&of[2]), stride, padding };
            reference().conv2d(&of[0], conv, add)
        };
        let shape = conv(&operands, Add::Nothing).unwrap().shape().clone();
        check(&operands, |of| conv(of, Add::Nothing));
        let with = |more: Tensor| [&operands[..], &[more]].concat();
        check(&with(numbers(&[2, 1, 4], 3)), |of| conv(of, Add::Channels(&of[3])));
        check(&with(numbers(shape.dims(), 4)), |of| conv(of, Add::Image(&of[3])));
    }
}

#[test]
fn of_linear_layers() {
    let (weight, bias) = (linear_weight(5, 4), numbers(&[4], 2));
    let layer = |of: &[Tensor]| (of[1].clone(), of[2].clone());
    let run = |of: &[Tensor], run: &dyn Fn(LinearOperands) -> Result<Tensor>| {
        let (weight, bias) = layer(of);
        run(LinearOperands { weight: &weight, bias: Some(&bias) })
    };
    let tokens = [numbers(&[2, 6, 5], 3), weight.clone(), bias.clone(), numbers(&[2, 6, 4], 4)];
    check(&tokens[..3], |of| run(of, &|layer| reference().linear(&of[0], layer, None)));
    check(&tokens, |of| run(of, &|layer| reference().linear(&of[0], layer, Some(&of[3]))));
    let image = [numbers(&[2, 5, 2, 3], 3), weight, bias, numbers(&[2, 4, 2, 3], 4)];
    check(&image[..3], |of| run(of, &|layer| reference().image_to_tokens(&of[0], layer)));
    let tokens = [&tokens[..3], &image[3..]].concat();
    check(&tokens, |of| run(of, &|layer| reference().tokens_to_image(&of[0], layer, &of[3])));
}

#[test]
fn of_norms() {
    let norm = |of: &[Tensor], run: &dyn Fn(NormOperands) -> Result<Tensor>| {
        run(NormOperands { weight: &of[1], bias: &of[2], eps: 1e-5 })
    };
    let image = [numbers(&[2, 6, 3, 2], 1), numbers(&[6], 2), numbers(&[6], 3)];
    for then in [Activation::None, Activation::Silu] {
        check(&image, |of| norm(of, &|norm| reference().group_norm(&of[0], norm, 3, then)));
    }
    let tokens = [numbers(&[2, 5, 6], 1), numbers(&[6], 2), numbers(&[6], 3)];
    check(&tokens, |of| norm(of, &|norm| reference().layer_norm(&of[0], norm)));
}

#[test]
fn of_attention() {
    for (queries, keys, mask) in [(5, 5, Mask::Causal), (4, 7, Mask::None)] {
        let q = (numbers(&[2, queries, 6], 1) * 3.0).unwrap();
        let operands = [q, numbers(&[2, keys, 6], 2), numbers(&[2, keys, 6], 3)];
        check(&operands, |of| reference().attention(&of[0], &of[1], &of[2], 2, mask));
    }
}

#[test]
fn of_activations_and_upsampling() {
    let x = (numbers(&[2, 3, 8], 1) * 4.0).unwrap();
    check(std::slice::from_ref(&x), |of| reference().silu(&of[0]));
    check(std::slice::from_ref(&x), |of| reference().gelu(&of[0]));
    check(std::slice::from_ref(&x), |of| reference().quick_gelu(&of[0]));
    check(&[x], |of| reference().geglu(&of[0]));
    for (height, width) in [(6, 4), (5, 4), (5, 3), (9, 2)] {
        // Added to itself: the tensor has another use besides the upsampling.
        let image = numbers(&[2, 2, 3, 2], 1);
        check(&[image], |of| reference().upsample_nearest(&(&of[0] + of[0].sqr()?)?, height, width));
    }
}

#[test]
fn gradients_are_finite_far_from_zero() {
    let x = Var::new(&[[[-300f32, -90., -60., 60., 90., 300.]]], &Device::Cpu).unwrap();
    for run in [Kernels::silu, Kernels::gelu, Kernels::quick_gelu, Kernels::geglu] {
        let gradients = run(reference(), &x).unwrap().sum_all().unwrap().backward().unwrap();
        let found = values(gradients.get(&x).unwrap());
        assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
    }
}
