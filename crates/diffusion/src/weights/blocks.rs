//! Blocks of a network, whose weights are in memory at least while a block is called.
//!
//! Not here: which weights stay in memory between calls.

use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{Device, Result};
use maquette_kernels::Weight;
use rayon::prelude::*;

/// The blocks of a network, in the order in which they are called.
pub(crate) struct Blocks<B>(Vec<Block<B>>);

struct Block<B> {
    network: B,
    /// Those of its linear layers that are in a file until they are loaded. Weights with fewer bits there are not among them.
    weights: Vec<Weight>,
}

/// Keeps weights of one device in memory.
pub(crate) fn load_all(weights: &[&Weight]) -> Result<()> {
    match weights.first().map(|weight| weight.device()) {
        None => Ok(()),
        Some(Device::Cpu) => weights.par_iter().try_for_each(|weight| weight.load()),
        // The queue of a GPU belongs to one thread.
        Some(Device::Cuda(_) | Device::Metal(_)) => weights.iter().try_for_each(|weight| weight.load()),
    }
}

/// Weights that are in memory until this is dropped.
struct Loaded<'a>(Vec<&'a Weight>);

impl<B> Blocks<B> {
    /// Loads `count` blocks; `load` makes each from `weights` by its number.
    pub fn load(
        weights: &Weights,
        count: usize,
        load: impl Fn(usize) -> std::result::Result<B, ModelError>,
    ) -> std::result::Result<Blocks<B>, ModelError> {
        let file = weights.file;
        let block = |number| {
            let before = file.in_file.borrow().len();
            let network = load(number)?;
            let weights = file.in_file.borrow()[before..].to_vec();
            if let Some(tally) = file.tally {
                tally.block(&file.folder, weights.iter().map(Weight::size_to_load).sum());
            }
            Ok(Block { network, weights })
        };
        Ok(Blocks((0..count).map(block).collect::<std::result::Result<_, _>>()?))
    }

    /// Calls `call` with one block after the other. Weights that are not in memory are loaded for their block and dropped after it,
    /// so that everything that `call` does with a block reads them once.
    pub fn each(&self, mut call: impl FnMut(&B) -> Result<()>) -> Result<()> {
        for (at, block) in self.0.iter().enumerate() {
            let _loaded = Loaded::load(&block.weights)?;
            if let Some(next) = self.0.get(at + 1) {
                next.weights.iter().for_each(Weight::prefetch);
            }
            call(&block.network)?;
        }
        Ok(())
    }
}

impl Loaded<'_> {
    /// Loads those that are not in memory.
    fn load(weights: &[Weight]) -> Result<Loaded<'_>> {
        let loaded = Loaded(weights.iter().filter(|weight| !weight.is_loaded()).collect());
        load_all(&loaded.0)?;
        Ok(loaded)
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|weight| weight.release());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Tensor};
    use maquette_kernels::{StoredWeight, reference};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A weight that counts how often it is read.
    #[derive(Debug, Default)]
    struct Counted(AtomicUsize);

    impl StoredWeight for Counted {
        fn read(&self) -> Result<Tensor> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Tensor::ones((2, 2), DType::F32, &Device::Cpu)
        }

        fn device(&self) -> &Device {
            &Device::Cpu
        }

        fn size(&self) -> u64 {
            16
        }
    }

    /// Three blocks of two weights, each block known by its first one.
    fn blocks() -> (Blocks<Weight>, Vec<Arc<Counted>>) {
        let counts: Vec<Arc<Counted>> = (0..6).map(|_| Arc::default()).collect();
        let weight = |count: &Arc<Counted>| Weight::stored(reference(), count.clone(), DType::F32);
        let blocks = counts.chunks(2).map(|pair| {
            let weights: Vec<Weight> = pair.iter().map(weight).collect();
            Block { network: weights[0].clone(), weights }
        });
        (Blocks(blocks.collect()), counts)
    }

    fn reads(counts: &[Arc<Counted>]) -> Vec<usize> {
        counts.iter().map(|count| count.0.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn a_block_is_read_once_for_everything_that_is_done_with_it() {
        let (blocks, counts) = blocks();
        let loaded = || blocks.0.iter().flat_map(|block| &block.weights).map(Weight::is_loaded);
        blocks.0[1].weights[0].load().unwrap();
        let mut called = 0;
        let call = |first: &Weight| {
            let in_memory: Vec<bool> = loaded().collect();
            let expected: Vec<bool> = (0..6).map(|at| at / 2 == called || at == 2).collect();
            assert_eq!(in_memory, expected);
            // As often as there are calls of the network.
            (0..3).try_for_each(|_| first.load())?;
            called += 1;
            Ok(())
        };
        blocks.each(call).unwrap();
        assert_eq!((called, reads(&counts)), (3, vec![1; 6]));
        // What was in memory stays.
        assert!(loaded().enumerate().all(|(at, is_loaded)| is_loaded == (at == 2)));
        blocks.each(|_| Ok(())).unwrap();
        assert_eq!(reads(&counts), [2, 2, 1, 2, 2, 2]);
    }

    #[test]
    fn blocks_are_dropped_after_an_error() {
        let (blocks, counts) = blocks();
        assert!(blocks.each(|_| candle_core::bail!("out of memory")).is_err());
        assert_eq!(reads(&counts), [1, 1, 0, 0, 0, 0]);
        assert!(!blocks.0[0].weights.iter().any(Weight::is_loaded));
    }
}
