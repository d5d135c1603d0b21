//! `torch.randn` with `torch.Generator("cuda")`: Philox4x32-10 (Salmon et al., SC 2011, Random123), as in cuRAND. A1111
//! uses it for seeds on a GPU.

use rayon::prelude::*;

/// The most threads that torch starts for one draw, on a GPU with 132 multiprocessors of 2048 threads (H100, H200).
///
/// Up to this many values, more than the latents of a picture of 2048 x 2048, a draw is the same on every GPU with at
/// least as many threads; A1111's own implementation has no such limit. Beyond, torch's values depend on the GPU
/// (pytorch/pytorch#143086), and those of an H100 are used.
const THREADS: usize = 132 * 2048;
/// Threads per block.
const BLOCK: usize = 256;
/// Normals per call of the generator.
const AT_ONCE: usize = 4;

/// Torch's CUDA generator.
///
/// Source: `aten/src/ATen/native/cuda/DistributionTemplates.h` for the layout, cuRAND's `curand_normal.h` for the
/// transform. Its logarithms and sines are computed in f64 and rounded; those of a GPU differ in the last places.
pub struct TorchCuda {
    key: [u32; 2],
    /// Calls of the generator that each thread has made.
    calls: u64,
}

impl TorchCuda {
    /// The generator after `manual_seed(seed)`; all 64 bits matter.
    pub fn new(seed: u64) -> TorchCuda {
        TorchCuda { key: words(seed), calls: 0 }
    }

    /// The next `count` values of `torch.randn(count, dtype=torch.float32, device="cuda")`.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        let threads = THREADS.min(count.next_multiple_of(BLOCK));
        let mut values = vec![0.0; count];
        // Each call of the generator gives a thread four values, which are one stride of all threads apart.
        for rows in values.chunks_mut(threads * AT_ONCE) {
            let (key, [low, high]) = (self.key, words(self.calls));
            let mut rows: Vec<&mut [f32]> = rows.chunks_mut(threads).collect();
            for (row, values) in rows.iter_mut().enumerate() {
                values.par_iter_mut().enumerate().for_each(|(thread, value)| {
                    let [word2, word3] = words(thread as u64);
                    *value = normals(philox([low, high, word2, word3], key))[row];
                });
            }
            self.calls += 1;
        }
        values
    }
}

/// The low and the high half.
fn words(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// Ten rounds of Philox4x32.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [low0, high0] = words(u64::from(counter[0]) * 0xD251_1F53);
        let [low1, high1] = words(u64::from(counter[2]) * 0xCD9E_8D57);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Box and Muller's transform of two pairs of words, sines first (`curand_normal4`).
fn normals([a, b, c, d]: [u32; 4]) -> [f32; 4] {
    let ([first, second], [third, fourth]) = (box_muller(a, b), box_muller(c, d));
    [first, second, third, fourth]
}

fn box_muller(x: u32, y: u32) -> [f32; 2] {
    const INVERSE: f32 = 2.328_306_4e-10;
    const INVERSE_TWO_PI: f32 = INVERSE * 6.283_185_5;
    // One fused multiply-add each, as nvcc compiles it.
    let u = (x as f32).mul_add(INVERSE, INVERSE / 2.0);
    let v = (y as f32).mul_add(INVERSE_TWO_PI, INVERSE_TWO_PI / 2.0);
    let radius = (-2.0 * f64::from(u).ln()).sqrt() as f32;
    let (sine, cosine) = f64::from(v).sin_cos();
    [radius * sine as f32, radius * cosine as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123 (`kat_vectors`).
    #[test]
    fn philox_gives_known_answers() {
        let check = |counter, key, expected| assert_eq!(philox(counter, key), expected);
        check([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        check([!0; 4], [!0; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        check(
            [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
            [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
        );
    }

    /// Torch's output on a GPU for seed 0.
    #[test]
    fn seeds_give_the_same_values_as_on_a_gpu() {
        let expected = [
            -0.92466259,
            -0.42534415,
            -2.6438457,
            0.14518388,
            -0.12086647,
            -0.57972564,
            -0.62285122,
            -0.32838709,
            -1.07454231,
            -0.36314407,
            -1.67105067,
            2.26550497,
        ];
        for (number, expected) in TorchCuda::new(0).randn(12).into_iter().zip(expected) {
            assert!((f64::from(number) - expected).abs() < 1e-6, "{number} is not {expected}");
        }
    }

    #[test]
    fn all_bits_of_a_seed_matter_and_draws_continue() {
        assert_ne!(TorchCuda::new(7).randn(64), TorchCuda::new((1 << 32) + 7).randn(64));
        let mut generator = TorchCuda::new(7);
        assert_ne!(generator.randn(64), generator.randn(64));
    }

    #[test]
    fn draws_larger_than_the_thread_count_use_the_other_normals() {
        let few = TorchCuda::new(3).randn(THREADS);
        let mut generator = TorchCuda::new(3);
        let many = generator.randn(4 * THREADS + 2);
        assert_eq!(many[..THREADS], few);
        let drawn = normals(philox([0, 0, 1, 0], [3, 0]));
        assert_eq!([many[1], many[THREADS + 1], many[2 * THREADS + 1], many[3 * THREADS + 1]], drawn);
        assert_eq!(many[4 * THREADS + 1], normals(philox([1, 0, 1, 0], [3, 0]))[0]);
        assert_eq!(generator.calls, 2);
    }
}
