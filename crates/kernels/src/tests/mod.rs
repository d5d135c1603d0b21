//! The CPU kernels against the reference, with shapes that do not divide evenly.
//!
//! The reference's gradients and the branches of weights are tested in their own files.

mod branches;
mod cuda_sources;
mod gradients;
mod recorded;

use super::*;
use candle_core::{Result, Tensor};
use proptest::prelude::*;

/// The kernels under test.
fn cpu() -> &'static dyn Kernels {
    select(&Device::Cpu, DType::F32)
}

/// Reproducible pseudo-random numbers in about -1..1.
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

fn values(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two results agree to `tolerance` times the second one's largest value.
fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.shape(), expected.shape());
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance * scale, "value {i} is {found}, expected {expected}");
    }
}

/// Asserts that both sets give the same result to `tolerance`.
fn compare(tolerance: f64, run: impl Fn(&dyn Kernels) -> Result<Tensor>) {
    assert_close(&run(cpu()).unwrap(), &run(reference()).unwrap(), tolerance);
}

/// A linear layer's weight `[inputs, outputs]`.
fn linear_weight(inputs: usize, outputs: usize) -> Tensor {
    (numbers(&[inputs, outputs], 1) * (1.0 / (inputs as f64).sqrt())).unwrap()
}

fn conv_weight(inputs: usize, outputs: usize, kernel: usize) -> Tensor {
    let scale = 1.0 / ((inputs * kernel * kernel) as f64).sqrt();
    (numbers(&[outputs, inputs, kernel, kernel], 3) * scale).unwrap()
}

fn compare_convolutions(
    [inputs, outputs]: [usize; 2],
    [height, width]: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: Padding,
) {
    let x = numbers(&[2, inputs, height, width], 5);
    let (weight, bias) = (conv_weight(inputs, outputs, kernel), numbers(&[outputs], 4));
    for bias in [None, Some(&bias)] {
        let conv = ConvOperands { weight: &weight, bias, stride, padding };
        let shape = reference().conv2d(&x, conv, Add::Nothing).unwrap().shape().clone();
        let (channels, image) = (numbers(&[2, 1, outputs], 6), numbers(shape.dims(), 7));
        for add in [Add::Nothing, Add::Channels(&channels), Add::Image(&image)] {
            compare(1e-5, |kernels| kernels.conv2d(&x, conv, add));
        }
    }
}

#[test]
fn convolutions_match_the_reference() {
    for (channels, size, kernel, stride, padding) in [
        ([4, 10], [7, 9], 3, 1, Padding::Around(1)),
        ([3, 70], [33, 17], 3, 1, Padding::Around(1)),
        ([40, 200], [24, 24], 3, 1, Padding::Around(1)),
        // Winograd: whole and cut tiles, one and several blocks of outputs and of channels, one and several chunks.
        ([16, 16], [5, 5], 3, 1, Padding::Around(1)),
        ([32, 48], [8, 12], 3, 1, Padding::Around(1)),
        ([336, 80], [9, 6], 3, 1, Padding::Around(1)),
        ([640, 192], [7, 13], 3, 1, Padding::Around(1)),
        ([16, 32], [170, 160], 3, 1, Padding::Around(1)),
        // The last chunk has fewer tiles than the others have tasks.
        ([16, 16], [40, 548], 3, 1, Padding::Around(1)),
        ([5, 6], [9, 8], 3, 2, Padding::Around(1)),
        ([5, 6], [9, 8], 3, 2, Padding::After(1)),
        ([5, 6], [10, 7], 3, 2, Padding::After(1)),
        ([6, 7], [5, 5], 1, 1, Padding::Around(0)),
        ([2, 3], [6, 6], 5, 1, Padding::Around(2)),
        ([2, 3], [1, 1], 3, 1, Padding::Around(1)),
        ([2, 3], [1, 2], 7, 1, Padding::Around(3)),
        ([2, 3], [5, 4], 1, 2, Padding::Around(0)),
    ] {
        compare_convolutions(channels, size, kernel, stride, padding);
    }
}

fn compare_linear_layers(tokens: usize, inputs: usize, outputs: usize) {
    let (weight, bias) = (linear_weight(inputs, outputs), numbers(&[outputs], 2));
    let (x, residual) = (numbers(&[3, tokens, inputs], 5), numbers(&[3, tokens, outputs], 6));
    for bias in [None, Some(&bias)] {
        let layer = LinearOperands { weight: &weight, bias };
        compare(1e-5, |kernels| kernels.linear(&x, layer, None));
        compare(1e-5, |kernels| kernels.linear(&x, layer, Some(&residual)));
    }
}

fn compare_linear_layers_on_images(height: usize, width: usize, inputs: usize, outputs: usize) {
    let (weight, bias) = (linear_weight(inputs, outputs), numbers(&[outputs], 2));
    let (x, image) = (numbers(&[2, inputs, height, width], 7), numbers(&[2, outputs, height, width], 8));
    let tokens = x.flatten_from(2).unwrap().transpose(1, 2).unwrap();
    for bias in [None, Some(&bias)] {
        let layer = LinearOperands { weight: &weight, bias };
        compare(1e-5, |kernels| kernels.image_to_tokens(&x, layer));
        compare(1e-5, |kernels| kernels.tokens_to_image(&tokens, layer, &image));
    }
}

#[test]
fn linear_layers_match_the_reference() {
    for (tokens, inputs, outputs) in [(1, 5, 7), (77, 40, 96), (150, 33, 20), (16, 16, 130)] {
        compare_linear_layers(tokens, inputs, outputs);
    }
    for (height, width, inputs, outputs) in [(3, 5, 8, 9), (12, 11, 20, 33)] {
        compare_linear_layers_on_images(height, width, inputs, outputs);
    }
    let (left, right) = (numbers(&[7, 9], 1), numbers(&[5, 9], 2));
    compare(1e-5, |kernels| kernels.product(&left, &right.t()?));
}

#[test]
fn norms_match_the_reference() {
    for (channels, groups, height, width) in [(12, 3, 5, 7), (10, 2, 33, 41), (8, 8, 1, 1)] {
        let (weight, bias) = (numbers(&[channels], 1), numbers(&[channels], 2));
        let norm = NormOperands { weight: &weight, bias: &bias, eps: 1e-5 };
        let x = ((numbers(&[2, channels, height, width], 3) * 5.0).unwrap() + 2.0).unwrap();
        for then in [Activation::None, Activation::Silu] {
            compare(1e-5, |kernels| kernels.group_norm(&x, norm, groups, then));
        }
    }
    for channels in [5, 16, 320] {
        let (weight, bias) = (numbers(&[channels], 1), numbers(&[channels], 2));
        let norm = NormOperands { weight: &weight, bias: &bias, eps: 1e-5 };
        let x = ((numbers(&[2, 37, channels], 3) * 5.0).unwrap() + 2.0).unwrap();
        compare(1e-5, |kernels| kernels.layer_norm(&x, norm));
    }
}

fn compare_attention(queries: usize, keys: usize, width: usize, heads: usize, mask: Mask) {
    let channels = width * heads;
    let q = (numbers(&[2, queries, channels], 1) * 4.0).unwrap();
    let (k, v) = (numbers(&[2, keys, channels], 2), numbers(&[2, keys, channels], 3));
    compare(1e-5, |kernels| kernels.attention(&q, &k, &v, heads, mask));
}

#[test]
fn attention_matches_the_reference() {
    for (queries, keys, width, heads, mask) in [
        (77, 77, 8, 5, Mask::Causal),
        (130, 130, 16, 2, Mask::Causal),
        (130, 77, 10, 4, Mask::None),
        (1, 1, 8, 1, Mask::None),
        (40, 1100, 8, 3, Mask::None),
    ] {
        compare_attention(queries, keys, width, heads, mask);
    }
}

#[test]
fn activations_match_the_reference() {
    let x = Tensor::arange_step(-120f32, 120., 0.0625, &Device::Cpu).unwrap().reshape((1, 2, ())).unwrap();
    // Small values are tested separately, as the tolerance is relative to the largest one.
    for x in [(&x * 0.05).unwrap(), x] {
        compare(5e-7, |kernels| kernels.silu(&x));
        compare(5e-7, |kernels| kernels.gelu(&x));
        compare(5e-7, |kernels| kernels.quick_gelu(&x));
        compare(0.0, |kernels| kernels.relu(&x));
        compare(5e-7, |kernels| kernels.geglu(&x));
    }
}

#[test]
fn upsampling_matches_the_reference() {
    let x = numbers(&[2, 3, 5, 4], 1);
    for (height, width) in [(10, 8), (9, 7), (9, 8), (10, 7)] {
        compare(0.0, |kernels| kernels.upsample_nearest(&x, height, width));
        let candle = x.upsample_nearest2d(height, width).unwrap();
        assert_close(&reference().upsample_nearest(&x, height, width).unwrap(), &candle, 0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn odd_shapes(
        (inputs, outputs) in (1usize..20, 1usize..70),
        (height, width) in (1usize..14, 1usize..14),
        (kernel, stride, after) in (prop_oneof![Just(1usize), Just(3), Just(5)], 1usize..3, any::<bool>()),
        (tokens, keys, heads, causal) in (1usize..70, 1usize..70, 1usize..4, any::<bool>()),
        (taller, wider) in (0usize..15, 0usize..15),
    ) {
        let padding = if after { Padding::After(kernel / 2) } else { Padding::Around(kernel / 2) };
        let fits = height + kernel / 2 >= kernel && width + kernel / 2 >= kernel;
        if fits || !after {
            compare_convolutions([inputs, outputs], [height, width], kernel, stride, padding);
        }
        compare_linear_layers(tokens, inputs, outputs);
        compare_linear_layers_on_images(height, width, inputs, outputs);
        compare_attention(tokens, if causal { tokens } else { keys }, inputs, heads, if causal { Mask::Causal } else { Mask::None });
        let x = numbers(&[2, inputs, height, width], 1);
        compare(0.0, |kernels| kernels.upsample_nearest(&x, height + taller, width + wider));
    }
}

#[test]
fn products_in_bf16_are_exact_but_for_their_operands() {
    let kernels = select(&Device::Cpu, DType::BF16);
    for (tokens, inputs, outputs) in [(1, 5, 7), (77, 40, 96), (150, 33, 20), (130, 2600, 130)] {
        let (weight, bias) = (linear_weight(inputs, outputs), numbers(&[outputs], 2));
        let (x, residual) = (numbers(&[3, tokens, inputs], 5), numbers(&[3, tokens, outputs], 6));
        let round = |x: &Tensor| x.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        let stored = kernels.storage_layout(round(&weight)).unwrap();
        let layer = LinearOperands { weight: &stored, bias: Some(&bias) };
        let found = kernels.linear(&x, layer, Some(&residual)).unwrap();
        let layer = LinearOperands { weight: &round(&weight), bias: Some(&bias) };
        let rounded = if kernels.name() == "cpu-bf16" { round(&x) } else { x };
        assert_close(&found, &reference().linear(&rounded, layer, Some(&residual)).unwrap(), 1e-5);
    }
}

#[test]
fn convolutions_1x1_in_bf16_are_linear_layers() {
    let kernels = select(&Device::Cpu, DType::BF16);
    let round = |x: &Tensor| x.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    for (inputs, outputs, size) in [(3, 5, 4), (64, 40, 9)] {
        let (x, bias) = (numbers(&[2, inputs, size, size + 1], 1), numbers(&[outputs], 2));
        let image = numbers(&[2, outputs, size, size + 1], 3);
        let weight = round(&conv_weight(inputs, outputs, 1));
        let stored = kernels.storage_layout(weight.clone()).unwrap();
        let rounded = if kernels.name() == "cpu-bf16" { round(&x) } else { x.clone() };
        for add in [Add::Nothing, Add::Image(&image)] {
            let conv =
                |weight| ConvOperands { weight, bias: Some(&bias), stride: 1, padding: Padding::Around(0) };
            let found = kernels.conv2d(&x, conv(&stored), add).unwrap();
            assert_close(&found, &reference().conv2d(&rounded, conv(&weight), add).unwrap(), 1e-5);
        }
    }
}

#[test]
fn attention_in_bf16_rounds_its_operands() {
    let kernels = select(&Device::Cpu, DType::BF16);
    // An odd number of keys or channels, several blocks of keys, and every query's largest score in any of them.
    for (queries, keys, depth, heads, mask) in [
        (1, 1, 1, 1, Mask::None),
        (77, 77, 8, 5, Mask::Causal),
        (130, 77, 9, 4, Mask::None),
        (70, 1101, 40, 3, Mask::None),
    ] {
        let channels = depth * heads;
        let q = (numbers(&[2, queries, channels], 1) * 4.0).unwrap();
        let (k, v) = (numbers(&[2, keys, channels], 2), numbers(&[2, keys, channels], 3));
        let round = |x: &Tensor| x.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        let found = kernels.attention(&q, &k, &v, heads, mask).unwrap();
        let expected = reference().attention(&round(&q), &round(&k), &round(&v), heads, mask).unwrap();
        assert_close(&found, &expected, 1.0 / 128.0);
    }
}

#[test]
fn half_precision_rounds_and_keeps_its_dtype() {
    for dtype in [DType::F16, DType::BF16] {
        let x = numbers(&[1, 8, 6, 6], 1).to_dtype(dtype).unwrap();
        let (weight, bias) = (conv_weight(8, 8, 3), numbers(&[8], 4));
        let conv =
            ConvOperands { weight: &weight, bias: Some(&bias), stride: 1, padding: Padding::Around(1) };
        let found = cpu().conv2d(&x, conv, Add::Image(&x)).unwrap();
        let x = x.to_dtype(DType::F32).unwrap();
        let expected = cpu().conv2d(&x, conv, Add::Image(&x)).unwrap().to_dtype(dtype).unwrap();
        assert_eq!(found.dtype(), dtype);
        assert_close(&found, &expected, 0.0);
    }
}

#[test]
fn a_set_is_chosen_by_device_and_dtype() {
    let check = |dtype: DType, name: &str, storage: DType, accumulation: DType| {
        let kernels = select(&Device::Cpu, dtype);
        assert_eq!(kernels.name(), name, "{dtype:?}");
        assert_eq!(kernels.storage_dtype(dtype), storage, "{dtype:?}");
        assert_eq!(kernels.accumulation_dtype(dtype), accumulation, "{dtype:?}");
    };
    check(DType::F32, "cpu-f32", DType::F32, DType::F32);
    check(DType::F16, "cpu-f32", DType::F32, DType::F32);
    check(DType::F64, "reference", DType::F64, DType::F64);
    assert_eq!(reference().storage_dtype(DType::F16), DType::F16);
    assert_eq!(reference().accumulation_dtype(DType::F16), DType::F32);
}

#[test]
fn mismatched_shapes_are_errors() {
    let (image, tokens, token) =
        (numbers(&[2, 4, 6, 6], 1), numbers(&[2, 9, 4], 1), numbers(&[1, 4, 1, 1], 1));
    let conv = |x: &Tensor, inputs: usize, kernel: usize, add: Add| {
        let (weight, padding) = (conv_weight(inputs, 8, kernel), Padding::Around(1));
        cpu().conv2d(x, ConvOperands { weight: &weight, bias: None, stride: 1, padding }, add).is_err()
    };
    assert!(conv(&image, 5, 3, Add::Nothing));
    assert!(conv(&image, 4, 3, Add::Image(&image)));
    assert!(conv(&token, 4, 5, Add::Nothing));
    let (five, four) = (linear_weight(5, 8), linear_weight(4, 4));
    let five = LinearOperands { weight: &five, bias: None };
    assert!(cpu().linear(&tokens, five, None).is_err());
    assert!(cpu().image_to_tokens(&image, five).is_err());
    assert!(cpu().tokens_to_image(&tokens, LinearOperands { weight: &four, bias: None }, &image).is_err());
    assert!(cpu().attention(&tokens, &tokens, &image, 2, Mask::None).is_err());
}
