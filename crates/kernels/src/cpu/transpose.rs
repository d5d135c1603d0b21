//! Matrices whose transpose is in one piece, as files have the weights of linear layers.

use candle_core::{CpuStorage, Device, Result, Storage, Tensor};
use rayon::prelude::*;

/// Rows of the result that a task writes: they read whole cache lines of f32.
const ROWS: usize = 16;

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
fn transposed<T: Copy + Default + Send + Sync>(source: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut values = vec![T::default(); rows * columns];
    if values.is_empty() {
        return values;
    }
    values.par_chunks_mut(ROWS * columns).enumerate().for_each(|(task, part)| {
        let (first, count) = (task * ROWS, part.len() / columns);
        for (column, line) in source.chunks_exact(rows).enumerate() {
            for (row, &value) in line[first..first + count].iter().enumerate() {
                part[row * columns + column] = value;
            }
        }
    });
    values
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
