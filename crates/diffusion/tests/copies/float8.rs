//! Casts weights to 8-bit floats as torch does.

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// The finite values of a format that are not negative, with their bytes, in ascending order.
fn values(dtype: Dtype) -> Vec<(f32, u8)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/readings/float8.json");
    let known: HashMap<String, Vec<Option<f32>>> =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let positive = known[&dtype.to_string()][..128].iter().zip(0u8..);
    positive.filter_map(|(value, byte)| Some(((*value)?, byte))).collect()
}

/// The nearest value, and its byte; of two, the even one.
fn nearest(values: &[(f32, u8)], x: f32) -> (f32, u8) {
    let size = x.abs();
    let above = values.partition_point(|(value, _)| *value < size).min(values.len() - 1);
    let (low, high) = (values[above.saturating_sub(1)], values[above]);
    let is_low = match (size - low.0).total_cmp(&(high.0 - size)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal => low.1.is_multiple_of(2),
    };
    let (value, byte) = if is_low { low } else { high };
    if x.is_sign_negative() { (-value, byte | 0x80) } else { (value, byte) }
}

/// Casts every float of a weight file; `widened`: and back to f32.
pub fn cast_to_float8(file: &Path, dtype: Dtype, widened: bool) {
    let values = values(dtype);
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let cast = |(key, tensor): (&String, &Tensor)| {
        let shape = tensor.dims().to_vec();
        let (dtype, bytes) = match tensor.dtype().is_float() {
            true => {
                let numbers: Vec<f32> =
                    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                let cast = numbers.into_iter().map(|x| nearest(&values, x));
                match widened {
                    true => (Dtype::F32, cast.flat_map(|(value, _)| value.to_le_bytes()).collect()),
                    false => (dtype, cast.map(|(_, byte)| byte).collect::<Vec<u8>>()),
                }
            }
            false => {
                let numbers: Vec<i64> = tensor.flatten_all().unwrap().to_vec1().unwrap();
                (Dtype::I64, numbers.into_iter().flat_map(i64::to_le_bytes).collect())
            }
        };
        (key.clone(), dtype, shape, bytes)
    };
    let owned: Vec<_> = tensors.iter().map(cast).collect();
    let views: Vec<(String, TensorView)> = owned
        .iter()
        .map(|(key, dtype, shape, bytes)| {
            (key.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        })
        .collect();
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}
