//! Noise: the only source of randomness in the engine.
//!
//! Seeds give the same values as in torch: those of `torch.randn` with a `torch.Generator` of the CPU or of CUDA, drawn
//! on the host and in diffusers' order. Devices' own generators are never used.
//!
//! The values depend on the `noise` setting, never on `dtype`: latents are always f32 here, so values are used as they
//! were drawn, those of `torch-cpu-f16` in half precision.

mod torch_cpu;
mod torch_cuda;
mod variation;

pub use torch_cpu::TorchCpu;

use maquette_core::{Noise, Settings};
use torch_cuda::TorchCuda;

/// Draws the noise of one picture.
pub(crate) struct NoiseGenerator {
    own: Generator,
    /// The variation's generator and its strength, until the latents are drawn.
    variation: Option<(Generator, f64)>,
}

enum Generator {
    Cpu(TorchCpu),
    CpuF16(TorchCpu),
    Cuda(TorchCuda),
}

impl NoiseGenerator {
    /// The generators of a picture's seeds.
    pub fn new(settings: &Settings) -> NoiseGenerator {
        let noise = settings.noise;
        NoiseGenerator {
            own: Generator::new(noise, settings.seed),
            variation: settings
                .variation()
                .map(|variation| (Generator::new(noise, variation.seed), variation.strength)),
        }
    }

    /// The noise of the initial latents, `[channels, height, width]`, with the variation.
    ///
    /// Later draws use only the picture's own seed, as in A1111.
    pub fn latents(&mut self, shape: [usize; 3]) -> Vec<f32> {
        let count = shape.iter().product();
        let own = self.own.randn(count);
        match self.variation.take() {
            None => own,
            Some((mut other, strength)) => variation::between(&own, &other.randn(count), strength, shape),
        }
    }

    /// The next `count` values of the picture's own seed.
    ///
    /// Before the latents are drawn, the variation's generator advances as well, so that it gives the latents that it
    /// would give as the picture's own seed: with a strength of 1, the noise is that of the other seed.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if let Some((other, _)) = &mut self.variation {
            other.randn(count);
        }
        self.own.randn(count)
    }
}

impl Generator {
    fn new(noise: Noise, seed: u64) -> Generator {
        match noise {
            Noise::TorchCpu => Generator::Cpu(TorchCpu::new(seed)),
            Noise::TorchCpuF16 => Generator::CpuF16(TorchCpu::new(seed)),
            Noise::TorchCuda => Generator::Cuda(TorchCuda::new(seed)),
        }
    }

    fn randn(&mut self, count: usize) -> Vec<f32> {
        match self {
            Generator::Cpu(generator) => generator.randn(count),
            Generator::CpuF16(generator) => generator.randn_f16(count),
            Generator::Cuda(generator) => generator.randn(count),
        }
    }
}

#[cfg(test)]
mod tests;
