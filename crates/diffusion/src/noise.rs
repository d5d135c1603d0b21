//! Noise: the only source of randomness in the engine.
//!
//! A seed means what it means in diffusers: the numbers are those of `torch.randn` with
//! `torch.Generator("cpu").manual_seed(seed)`, drawn on the host and in diffusers' order. Devices' own generators are
//! never used.

use rand_mt::Mt;
use std::f64::consts::TAU;

/// How many uniforms torch turns into normals at a time.
const BLOCK: usize = 16;

/// Torch's CPU generator, as `torch.Generator("cpu")`.
///
/// Source: `aten/src/ATen/core/MT19937RNGEngine.h`, `aten/src/ATen/CPUGeneratorImpl.cpp`. The transform is computed
/// in f64 and rounded to f32 after each operation, so it does not depend on the machine's mathematical library;
/// torch's vectorised logarithm and cosine differ from it by about 1e-6.
pub struct TorchCpu {
    engine: Mt,
    /// The second half of the last scalar Box-Muller pair, which torch keeps for the next scalar draw.
    spare: Option<f64>,
}

impl TorchCpu {
    /// The generator after `manual_seed(seed)`. As in torch, only the low 32 bits of the seed matter.
    pub fn new(seed: i64) -> TorchCpu {
        TorchCpu { engine: Mt::new(seed as u32), spare: None }
    }

    /// The next `count` numbers of `torch.randn(count, dtype=torch.float32)`.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.normal() as f32).collect();
        }
        let mut values: Vec<f32> = (0..count).map(|_| self.uniform()).collect();
        for block in values.chunks_exact_mut(BLOCK) {
            box_muller(block);
        }
        if !count.is_multiple_of(BLOCK) {
            // Torch redraws the last sixteen, over what the previous block left there.
            let tail = &mut values[count - BLOCK..];
            tail.fill_with(|| self.uniform());
            box_muller(tail);
        }
        values
    }

    /// Uniform in [0, 1) on 24 bits: `uniform_real_distribution<float>`.
    fn uniform(&mut self) -> f32 {
        (self.engine.next_u32() & 0xff_ffff) as f32 / (1 << 24) as f32
    }

    /// Uniform in [0, 1) on 53 bits; torch takes the first draw as the high word.
    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.engine.next_u32());
        let low = u64::from(self.engine.next_u32());
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }

    /// One normal in f64: `normal_distribution<double>` of `DistributionsHelper.h`.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u1, u2) = (self.uniform_f64(), self.uniform_f64());
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = TAU * u1;
        self.spare = Some(radius * theta.sin());
        radius * theta.cos()
    }
}

/// Sixteen uniforms to sixteen normals, in place: `normal_fill_16` of `DistributionTemplates.h`.
fn box_muller(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (u1, u2) in first.iter_mut().zip(second) {
        let log = f64::from(1.0 - *u1).ln() as f32;
        let radius = f64::from(-2.0 * log).sqrt() as f32;
        let theta = f64::from(TAU as f32 * *u2);
        *u1 = radius * theta.cos() as f32;
        *u2 = radius * theta.sin() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers printed by torch 2.15, rounded to four places.
    #[track_caller]
    fn check(numbers: &[f32], expected: &[f32]) {
        for (number, expected) in numbers.iter().zip(expected) {
            assert!((number - expected).abs() < 6e-5, "{numbers:?} is not {expected:?}");
        }
    }

    #[test]
    fn seeds_mean_what_they_mean_in_torch() {
        check(&TorchCpu::new(0).randn(4), &[1.5410, -0.2934, -2.1788, 0.5684]);
        check(&TorchCpu::new(0).randn(16384), &[-1.1258, -1.1524, -0.2506, -0.4339]);
        check(&TorchCpu::new(42).randn(16384), &[1.9269, 1.4873, 0.9007, -2.1055]);
    }

    /// Torch's own numbers (`tests/fixtures/noise.safetensors`): single draws and draws in a row.
    #[test]
    fn every_draw_is_torchs_to_the_sixth_place() {
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
                    // `draws_{count}_{count}.{i}`: the i-th draw of a row.
                    let (counts, which) = draws.strip_prefix("draws_").unwrap().split_once('.').unwrap();
                    let which: usize = which.parse().unwrap();
                    let drawn: Vec<_> =
                        counts.split('_').map(|count| generator.randn(count.parse().unwrap())).collect();
                    close(name, &drawn[which]);
                }
            }
        }
    }

    #[test]
    fn only_the_low_half_of_a_seed_counts() {
        assert_eq!(TorchCpu::new(7).randn(64), TorchCpu::new((1 << 32) + 7).randn(64));
        assert_ne!(TorchCpu::new(7).randn(64), TorchCpu::new(8).randn(64));
    }

    #[test]
    fn a_first_image_of_a_batch_is_the_single_image() {
        let (one, two) = (TorchCpu::new(3).randn(4096), TorchCpu::new(3).randn(8192));
        assert_eq!(one, two[..4096]);
    }
}
