//! Reproducible random numbers, computed in parallel: each is a function of its index.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::f64::consts::TAU;

/// Standard normal numbers, f32 on the CPU. Box and Muller (1958), "A Note on the Generation of Random Normal Deviates".
pub fn normal(shape: &[usize], seed: u64) -> Tensor {
    let number = |index: u64| {
        let radius = (-2.0 * uniform(seed, 2 * index).ln()).sqrt();
        (radius * (TAU * uniform(seed, 2 * index + 1)).cos()) as f32
    };
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count as u64).into_par_iter().map(number).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Places from 0 to `end`, exclusive, in no order.
pub fn places(count: u64, end: usize, seed: u64) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| (uniform(seed, index) * end as f64) as usize)
}

/// A number between 0 and 1, both exclusive.
fn uniform(seed: u64, index: u64) -> f64 {
    ((mixed(mixed(seed) ^ index) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// SplitMix64's output function (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators").
fn mixed(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
