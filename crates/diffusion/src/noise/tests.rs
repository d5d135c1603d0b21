//! Every kind of noise against torch's values.

use super::*;
use serde::Deserialize;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// Checks against values printed by torch 2.15, rounded to four places.
#[track_caller]
fn check(numbers: &[f32], expected: &[f32]) {
    for (number, expected) in numbers.iter().zip(expected) {
        assert!((number - expected).abs() < 6e-5, "{numbers:?} is not {expected:?}");
    }
}

#[test]
fn seeds_give_the_same_values_as_in_torch() {
    check(&TorchCpu::new(0).randn(4), &[1.5410, -0.2934, -2.1788, 0.5684]);
    check(&TorchCpu::new(0).randn(16384), &[-1.1258, -1.1524, -0.2506, -0.4339]);
    check(&TorchCpu::new(42).randn(16384), &[1.9269, 1.4873, 0.9007, -2.1055]);
}

/// Torch's values (`tests/fixtures/noise.safetensors`): single draws and consecutive draws.
#[test]
fn every_draw_matches_torch_to_the_sixth_place() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/noise.safetensors");
    let bytes = std::fs::read(fixture).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let close = |name: &str, drawn: &[f32]| {
        let expected = numbers(name);
        assert_eq!(drawn.len(), expected.len(), "{name}");
        for (drawn, expected) in drawn.iter().zip(&expected) {
            assert!((drawn - expected).abs() < 4e-6, "{name}: {drawn} is not {expected}");
        }
    };
    for name in tensors.names() {
        let (seed, draws) = name.strip_prefix("seed_").unwrap().split_once('.').unwrap();
        let mut generator = TorchCpu::new(seed.parse().unwrap());
        match draws.strip_prefix("n_") {
            Some(count) => close(name, &generator.randn(count.parse().unwrap())),
            None => {
                // `draws_{count}_{count}.{i}`: the i-th of consecutive draws.
                let (counts, which) = draws.strip_prefix("draws_").unwrap().split_once('.').unwrap();
                let which: usize = which.parse().unwrap();
                let drawn: Vec<_> =
                    counts.split('_').map(|count| generator.randn(count.parse().unwrap())).collect();
                close(name, &drawn[which]);
            }
        }
    }
}

/// Values printed by torch 2.15: `randperm(6)`, `randint(0, 1000, (1,))`, `randperm(1)`, `randint(0, 1000, (2,))`.
#[test]
fn integers_and_permutations_are_those_of_torch() {
    let mut generator = TorchCpu::new(7);
    assert_eq!(generator.permutation(6), [3, 0, 1, 5, 2, 4]);
    assert_eq!(generator.below(1000), 347);
    assert_eq!(generator.permutation(1), [0]);
    assert_eq!([generator.below(1000), generator.below(1000)], [287, 279]);
}

#[test]
fn only_the_low_half_of_a_seed_matters() {
    assert_eq!(TorchCpu::new(7).randn(64), TorchCpu::new((1 << 32) + 7).randn(64));
    assert_ne!(TorchCpu::new(7).randn(64), TorchCpu::new(8).randn(64));
}

#[test]
fn a_first_image_of_a_batch_is_the_single_image() {
    let (one, two) = (TorchCpu::new(3).randn(4096), TorchCpu::new(3).randn(8192));
    assert_eq!(one, two[..4096]);
}

/// Torch 1.13's values, to the last bit (`tests/fixtures/noise_f16.py`).
#[test]
fn every_draw_in_half_precision_matches_torch() {
    #[derive(Deserialize)]
    struct Known {
        seed: u64,
        counts: Vec<usize>,
        /// The bits of all consecutive draws.
        bits: Vec<u16>,
    }
    let text = std::fs::read_to_string(format!("{FIXTURES}/noise_f16.json")).unwrap();
    for Known { seed, counts, bits } in serde_json::from_str::<Vec<Known>>(&text).unwrap() {
        let mut generator = TorchCpu::new(seed);
        let drawn: Vec<f32> = counts.iter().flat_map(|&count| generator.randn_f16(count)).collect();
        let expected: Vec<f32> = bits.iter().map(|&bits| half::f16::from_bits(bits).to_f32()).collect();
        assert_eq!(drawn, expected, "seed {seed}, {counts:?}");
    }
}

/// Angles and sines of torch (`tests/fixtures/variation.py`).
#[test]
fn variations_are_between_two_seeds() {
    let bytes = std::fs::read(format!("{FIXTURES}/variation.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, tensor) in tensors.iter() {
        let [seed, other, percent] = name.split('_').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let shape: [usize; 3] = tensor.shape().try_into().unwrap();
        let count = shape.iter().product();
        let drawn = |seed: &str| TorchCpu::new(seed.parse().unwrap()).randn(count);
        let strength = percent.parse::<f64>().unwrap() / 100.0;
        let mixed = variation::between(&drawn(seed), &drawn(other), strength, shape);
        let expected = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        for (number, expected) in mixed.iter().zip(expected) {
            assert!((number - expected).abs() < 2e-5, "{name}: {number} is not {expected}");
        }
    }
}

#[test]
fn a_full_variation_is_the_other_seed_and_later_draws_do_not_change() {
    let source = |seed, variation: Option<(u64, f64)>| NoiseGenerator {
        own: Generator::new(Noise::TorchCpu, seed),
        variation: variation.map(|(seed, strength)| (Generator::new(Noise::TorchCpu, seed), strength)),
    };
    let shape = [4, 6, 5];
    let (mut own, mut other, mut mixed) = (source(1, None), source(2, None), source(1, Some((2, 1.0))));
    // Image-to-image draws noise before the latents.
    assert_eq!(own.randn(120), mixed.randn(120));
    other.randn(120);
    let expected = other.latents(shape);
    own.latents(shape);
    for (number, expected) in mixed.latents(shape).iter().zip(&expected) {
        assert!((number - expected).abs() < 1e-6);
    }
    assert_eq!(own.randn(120), mixed.randn(120));
}

#[test]
fn parallel_columns_are_interpolated_linearly() {
    // With a height of 1, every column points in the same or the opposite direction.
    let mixed = variation::between(&[1.0, 1.0], &[3.0, -3.0], 0.25, [1, 1, 2]);
    assert_eq!(mixed, [1.5, 0.0]);
    let same = TorchCpu::new(5).randn(64);
    for (number, expected) in variation::between(&same, &same, 0.3, [4, 4, 4]).iter().zip(&same) {
        assert!((number - expected).abs() < 1e-6);
    }
}
