//! Matrices whose transpose is in one piece, as files have the weights of linear layers.

use super::memory::prefetch;
use candle_core::{CpuStorage, Device, Result, Storage, Tensor};
use rayon::prelude::*;

/// Rows and columns of a block: whole cache lines of f32 are read and written. A task has the blocks of these rows.
const SIDE: usize = 16;

/// A matrix in one piece. candle's copy takes one value after the other, on one thread.
pub(super) fn contiguous(matrix: &Tensor) -> Result<Tensor> {
    let source = matrix.t()?;
    if matrix.is_contiguous() || !source.is_contiguous() || matrix.track_op() {
        return matrix.contiguous();
    }
    let (rows, columns) = matrix.dims2()?;
    let (storage, layout) = source.storage_and_layout();
    let range = layout.start_offset()..layout.start_offset() + rows * columns;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(all)) => {
            Tensor::from_vec(transposed(&all[range], rows, columns), (rows, columns), &Device::Cpu)
        }
        Storage::Cpu(CpuStorage::BF16(all)) => {
            Tensor::from_vec(transposed(&all[range], rows, columns), (rows, columns), &Device::Cpu)
        }
        _ => matrix.contiguous(),
    }
}

/// `[rows, columns]` from `[columns, rows]`.
pub(super) fn transposed<T: Copy + Default + Send + Sync>(
    source: &[T],
    rows: usize,
    columns: usize,
) -> Vec<T> {
    let mut values = vec![T::default(); rows * columns];
    transpose(source, rows, columns, &mut values);
    values
}

/// Writes `[rows, columns]` from `[columns, rows]`.
pub(super) fn transpose<T: Copy + Default + Send + Sync>(
    source: &[T],
    rows: usize,
    columns: usize,
    values: &mut [T],
) {
    if values.is_empty() {
        return;
    }
    values.par_chunks_mut(SIDE * columns).enumerate().for_each(|(task, part)| {
        let (first, count) = (task * SIDE, part.len() / columns);
        for column in (0..columns).step_by(SIDE) {
            // The lines of the next block are far apart, so that the processor does not foresee them.
            for ahead in column + SIDE..(column + 2 * SIDE).min(columns) {
                prefetch(&source[ahead * rows + first..]);
            }
            let width = SIDE.min(columns - column);
            let mut block = [[T::default(); SIDE]; SIDE];
            for (i, line) in source[column * rows..].chunks_exact(rows).take(width).enumerate() {
                for (block, &value) in block.iter_mut().zip(&line[first..first + count]) {
                    block[i] = value;
                }
            }
            for (part, block) in part.chunks_exact_mut(columns).zip(&block) {
                part[column..column + width].copy_from_slice(&block[..width]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    #[test]
    fn a_transposed_matrix_is_that_of_candle() {
        for (rows, columns) in [(1, 1), (3, 5), (16, 7), (40, 33), (0, 4)] {
            let values: Vec<f32> = (0..rows * columns).map(|at| at as f32).collect();
            let all = Tensor::from_vec(values, (columns, rows), &Device::Cpu).unwrap();
            for dtype in [DType::F32, DType::BF16, DType::F16] {
                let matrix = all.to_dtype(dtype).unwrap().t().unwrap();
                let found = contiguous(&matrix).unwrap();
                assert!(found.is_contiguous());
                let values = |tensor: &Tensor| tensor.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap();
                assert_eq!(
                    values(&found),
                    values(&matrix.contiguous().unwrap()),
                    "{rows} {columns} {dtype:?}"
                );
            }
        }
    }
}
