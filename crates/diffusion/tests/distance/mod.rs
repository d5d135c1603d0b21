//! The distance of tensors from their reference.

use candle_core::{DType, Tensor};

/// The values of a tensor, as f32.
pub fn values(x: &Tensor) -> Vec<f32> {
    x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, relative to the reference's largest value.
pub fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.shape(), expected.shape());
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
    differences.fold(0f32, |most, x| if x <= most { most } else { x }) / scale
}
