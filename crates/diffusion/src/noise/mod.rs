//! Noise: the only source of randomness in the engine.
//!
//! A seed means what it means in torch: the numbers are those of `torch.randn` with a `torch.Generator` of the CPU or of
//! CUDA, drawn on the host and in diffusers' order. Devices' own generators are never used.
//!
//! Which numbers are drawn depends on the `noise` setting alone, never on `dtype`: latents are f32 here whatever the
//! weights are, so numbers are used as they were drawn, those of `torch-cpu-f16` at their half precision.

mod torch_cpu;
mod torch_cuda;
mod variation;

pub(crate) use torch_cpu::TorchCpu;

use maquette_core::{Noise, Settings};
use torch_cuda::TorchCuda;

/// Draws the noise of one picture.
pub(crate) struct NoiseGenerator {
    own: Generator,
    /// The variation's generator and its part in the noise, until the latents are drawn.
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

    /// The noise of the first latents, `[channels, height, width]`, with the variation's part in it.
    ///
    /// Draws after this one are the own seed's alone, as in A1111.
    pub fn latents(&mut self, shape: [usize; 3]) -> Vec<f32> {
        let count = shape.iter().product();
        let own = self.own.randn(count);
        match self.variation.take() {
            None => own,
            Some((mut other, strength)) => variation::between(&own, &other.randn(count), strength, shape),
        }
    }

    /// The next `count` numbers of the own seed.
    ///
    /// Before the latents the variation's generator moves on with it, so that it gives to the latents what it would
    /// give them if its seed were the picture's own: with a strength of 1, noise is that of the other seed.
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
