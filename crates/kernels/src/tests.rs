//! Each kernel against its plain version, over shapes that do not divide evenly; and rows against their neighbours.

use super::*;
use candle_core::{DType, Device};

/// Numbers without a pattern, about -1..1, the same every time.
fn numbers(shape: &[usize], seed: u32) -> Tensor {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// Says that two results agree to `tolerance` of the second one's largest value.
fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape());
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance * scale, "value {i} is {found}, expected {expected}");
    }
}

fn linear_layer(inputs: usize, outputs: usize, bias: bool) -> Linear {
    let weight = (numbers(&[outputs, inputs], 1) * (1.0 / (inputs as f64).sqrt())).unwrap();
    Linear::new(&weight, bias.then(|| numbers(&[outputs], 2))).unwrap()
}

fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: Padding) -> Conv2d {
    let scale = 1.0 / ((inputs * kernel * kernel) as f64).sqrt();
    let weight = (numbers(&[outputs, inputs, kernel, kernel], 3) * scale).unwrap();
    Conv2d { weight: Weight::new(weight), bias: numbers(&[outputs], 4), stride, padding }
}

#[test]
fn convolutions_are_those_of_candle() {
    for (inputs, outputs, height, width, kernel, stride, padding) in [
        (4, 10, 7, 9, 3, 1, Padding::Around(1)),
        (3, 70, 33, 17, 3, 1, Padding::Around(1)),
        (40, 200, 24, 24, 3, 1, Padding::Around(1)),
        (5, 6, 9, 8, 3, 2, Padding::Around(1)),
        (5, 6, 9, 8, 3, 2, Padding::After(1)),
        (5, 6, 10, 7, 3, 2, Padding::After(1)),
        (6, 7, 5, 5, 1, 1, Padding::Around(0)),
        (2, 3, 6, 6, 5, 1, Padding::Around(2)),
        (2, 3, 1, 1, 3, 1, Padding::Around(1)),
        (2, 3, 1, 2, 7, 1, Padding::Around(3)),
        (2, 3, 5, 4, 1, 2, Padding::Around(0)),
    ] {
        let x = numbers(&[2, inputs, height, width], 5);
        let conv = convolution(inputs, outputs, kernel, stride, padding);
        let expected = reference::conv2d(&x, &conv, Add::Nothing).unwrap();
        assert_close(&conv2d(&x, &conv, Add::Nothing).unwrap(), &expected, 1e-5);

        let channels = numbers(&[2, 1, outputs], 6);
        let image = numbers(expected.dims(), 7);
        for add in [Add::Channels(&channels), Add::Image(&image)] {
            assert_close(&conv2d(&x, &conv, add).unwrap(), &reference::conv2d(&x, &conv, add).unwrap(), 1e-5);
        }
    }
}

#[test]
fn linear_layers_are_those_of_candle() {
    for (tokens, inputs, outputs, bias) in
        [(1, 5, 7, true), (77, 40, 96, true), (150, 33, 20, false), (16, 16, 130, true)]
    {
        let x = numbers(&[3, tokens, inputs], 5);
        let layer = linear_layer(inputs, outputs, bias);
        assert_close(&linear(&x, &layer).unwrap(), &reference::linear(&x, &layer, None).unwrap(), 1e-5);
        let residual = numbers(&[3, tokens, outputs], 6);
        let expected = reference::linear(&x, &layer, Some(&residual)).unwrap();
        assert_close(&linear_add(&x, &layer, &residual).unwrap(), &expected, 1e-5);
    }
    for (height, width, inputs, outputs) in [(3, 5, 8, 9), (12, 11, 20, 33)] {
        let layer = linear_layer(inputs, outputs, true);
        let image = numbers(&[2, inputs, height, width], 7);
        let tokens = reference::image_to_tokens(&image, &layer).unwrap();
        assert_close(&image_to_tokens(&image, &layer).unwrap(), &tokens, 1e-5);

        let layer = linear_layer(outputs, inputs, true);
        let expected = reference::tokens_to_image(&tokens, &layer, &image).unwrap();
        assert_close(&tokens_to_image(&tokens, &layer, &image).unwrap(), &expected, 1e-5);
    }
}

#[test]
fn norms_are_those_of_candle() {
    for (channels, groups, height, width) in [(12, 3, 5, 7), (10, 2, 33, 41), (8, 8, 1, 1)] {
        let norm =
            GroupNorm { weight: numbers(&[channels], 1), bias: numbers(&[channels], 2), groups, eps: 1e-5 };
        let x = ((numbers(&[2, channels, height, width], 3) * 5.0).unwrap() + 2.0).unwrap();
        for activation in [Activation::None, Activation::Silu] {
            let expected = reference::group_norm(&x, &norm, activation).unwrap();
            assert_close(&group_norm(&x, &norm, activation).unwrap(), &expected, 1e-5);
        }
    }
    for channels in [5, 16, 320] {
        let norm = LayerNorm { weight: numbers(&[channels], 1), bias: numbers(&[channels], 2), eps: 1e-5 };
        let x = ((numbers(&[2, 37, channels], 3) * 5.0).unwrap() + 2.0).unwrap();
        assert_close(&layer_norm(&x, &norm).unwrap(), &reference::layer_norm(&x, &norm).unwrap(), 1e-5);
    }
}

#[test]
fn attention_is_that_of_candle() {
    for (queries, keys, channels, heads, mask) in [
        (77, 77, 40, 5, Mask::Causal),
        (130, 130, 32, 2, Mask::Causal),
        (130, 77, 40, 4, Mask::None),
        (1, 1, 8, 1, Mask::None),
        (40, 1100, 24, 3, Mask::None),
    ] {
        let q = (numbers(&[2, queries, channels], 1) * 4.0).unwrap();
        let (k, v) = (numbers(&[2, keys, channels], 2), numbers(&[2, keys, channels], 3));
        let expected = reference::attention(&q, &k, &v, heads, mask).unwrap();
        assert_close(&attention(&q, &k, &v, heads, mask).unwrap(), &expected, 1e-5);
    }
}

#[test]
fn curves_are_those_of_candle() {
    let x = Tensor::arange_step(-120f32, 120., 0.0625, &Device::Cpu).unwrap().reshape((1, 2, ())).unwrap();
    // The small values matter for their own sake, not beside 120.
    for x in [(&x * 0.05).unwrap(), x] {
        assert_close(&silu(&x).unwrap(), &reference::silu(&x).unwrap(), 5e-7);
        assert_close(&gelu(&x).unwrap(), &reference::gelu(&x).unwrap(), 5e-7);
        assert_close(&quick_gelu(&x).unwrap(), &reference::quick_gelu(&x).unwrap(), 5e-7);
        assert_close(&geglu(&x).unwrap(), &reference::geglu(&x).unwrap(), 5e-7);
    }
}

#[test]
fn resizing_is_that_of_candle() {
    let x = numbers(&[2, 3, 5, 4], 1);
    for (height, width) in [(10, 8), (9, 7), (9, 8), (10, 7)] {
        let expected = reference::upsample_nearest(&x, height, width).unwrap();
        assert_close(&upsample_nearest(&x, height, width).unwrap(), &expected, 0.0);
    }
}

#[test]
fn half_precision_rounds_and_keeps_its_dtype() {
    for dtype in [DType::F16, DType::BF16] {
        let x = numbers(&[1, 8, 6, 6], 1).to_dtype(dtype).unwrap();
        let conv = convolution(8, 8, 3, 1, Padding::Around(1));
        let found = conv2d(&x, &conv, Add::Image(&x)).unwrap();
        let x = x.to_dtype(DType::F32).unwrap();
        let expected = conv2d(&x, &conv, Add::Image(&x)).unwrap().to_dtype(dtype).unwrap();
        assert_eq!(found.dtype(), dtype);
        assert_close(&found.to_dtype(DType::F32).unwrap(), &expected.to_dtype(DType::F32).unwrap(), 0.0);
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let image = numbers(&[2, 4, 6, 6], 1);
    let tokens = numbers(&[2, 9, 4], 1);
    let conv = convolution(5, 8, 3, 1, Padding::Around(1));
    assert!(conv2d(&image, &conv, Add::Nothing).is_err());
    let conv = convolution(4, 8, 3, 1, Padding::Around(1));
    assert!(conv2d(&image, &conv, Add::Image(&image)).is_err());
    assert!(
        conv2d(&numbers(&[1, 4, 1, 1], 1), &convolution(4, 8, 5, 1, Padding::Around(1)), Add::Nothing)
            .is_err()
    );
    assert!(linear(&tokens, &linear_layer(5, 8, true)).is_err());
    assert!(image_to_tokens(&image, &linear_layer(5, 8, true)).is_err());
    assert!(tokens_to_image(&tokens, &linear_layer(4, 4, true), &image).is_err());
    assert!(attention(&tokens, &tokens, &image, 2, Mask::None).is_err());
}
