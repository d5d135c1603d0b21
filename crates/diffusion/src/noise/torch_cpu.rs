//! `torch.randn` with `torch.Generator("cpu")`: Mersenne Twister, in single and in half precision.

use half::f16;
use rand_mt::Mt;
use std::f64::consts::TAU;

/// How many uniforms torch transforms to normals at a time.
const BLOCK: usize = 16;

/// Torch's CPU generator, as `torch.Generator("cpu")`.
///
/// Source: `aten/src/ATen/core/MT19937RNGEngine.h`, `aten/src/ATen/CPUGeneratorImpl.cpp`. The transform is computed
/// in f64 and rounded to f32 after each operation, so it does not depend on the machine's mathematical library;
/// torch's vectorised logarithm and cosine differ from it by about 1e-6.
pub struct TorchCpu {
    engine: Mt,
    /// The second value of the last scalar Box-Muller pair, which torch keeps for the next scalar draw.
    spare: Option<f64>,
}

impl TorchCpu {
    /// The generator after `manual_seed(seed)`; torch adds 2^64 to a negative seed. Only the low 32 bits matter, see
    /// [`maquette_core::Noise::seed_bits`].
    pub fn new(seed: u64) -> TorchCpu {
        TorchCpu { engine: Mt::new(seed as u32), spare: None }
    }

    /// The next `count` values of `torch.randn(count, dtype=torch.float32)`.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.normal() as f32).collect();
        }
        self.blocks(count, TorchCpu::uniform, box_muller)
    }

    /// The next `count` values of `torch.randn(count, dtype=torch.float16)`, as older versions of torch drew them: from
    /// uniforms of 11 bits, transformed in half precision, none beyond 3.91.
    ///
    /// The same to the last bit as torch 1.13; later versions rounded once or twice more in between, which changes the
    /// last place of a value. The newest versions draw the values of [`TorchCpu::randn`] and round them.
    pub fn randn_f16(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| half(self.normal() as f32)).collect();
        }
        self.blocks(count, TorchCpu::uniform_f16, box_muller_f16)
    }

    /// The next value of `torch.randint(count, (1,))`. `count` is at least 1.
    pub fn below(&mut self, count: u32) -> u32 {
        self.engine.next_u32() % count
    }

    /// The next value of `torch.randperm(count)`: the numbers below `count` in random order.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in 1..count {
            let rest = (count - i + 1) as u32;
            order.swap(i - 1, i - 1 + self.below(rest) as usize);
        }
        order
    }

    /// Draws uniforms and transforms blocks of sixteen in place.
    fn blocks(
        &mut self,
        count: usize,
        uniform: fn(&mut TorchCpu) -> f32,
        transform: fn(&mut [f32]),
    ) -> Vec<f32> {
        let mut values: Vec<f32> = (0..count).map(|_| uniform(self)).collect();
        for block in values.chunks_exact_mut(BLOCK) {
            transform(block);
        }
        if !count.is_multiple_of(BLOCK) {
            // Torch redraws the last sixteen values, overwriting a part of the previous block.
            let tail = &mut values[count - BLOCK..];
            tail.fill_with(|| uniform(self));
            transform(tail);
        }
        values
    }

    /// Uniform in [0, 1) on 24 bits: `uniform_real_distribution<float>`.
    fn uniform(&mut self) -> f32 {
        (self.engine.next_u32() & 0xff_ffff) as f32 / (1 << 24) as f32
    }

    /// Uniform in [0, 1) on 11 bits: `uniform_real_distribution<Half>`.
    fn uniform_f16(&mut self) -> f32 {
        (self.engine.next_u32() & 0x7ff) as f32 / (1 << 11) as f32
    }

    /// Uniform in [0, 1) on 53 bits; in torch the first draw is the high word.
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

/// Transforms sixteen uniforms to sixteen normals in place: `normal_fill_16` of `DistributionTemplates.h`.
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

/// The same in half precision: each variable of torch's code is rounded, intermediate values are not.
fn box_muller_f16(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (u1, u2) in first.iter_mut().zip(second) {
        let log = f64::from(half(1.0 - *u1)).ln() as f32;
        let radius = half(f64::from(-2.0 * log).sqrt() as f32);
        let theta = f64::from(half((TAU * f64::from(*u2)) as f32));
        *u1 = half(radius * theta.cos() as f32);
        *u2 = half(radius * theta.sin() as f32);
    }
}

fn half(number: f32) -> f32 {
    f16::from_f32(number).to_f32()
}
