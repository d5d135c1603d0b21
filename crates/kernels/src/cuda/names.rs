//! The names of kernels by dtype and vector.

use candle_core::DType;

/// The name of a kernel for a dtype, and how many channels its threads read at once: 16 bytes where that divides them.
pub(super) fn variant(kernel: &str, dtype: DType, channels: usize) -> (String, usize) {
    let dtype_name = dtype_name(dtype);
    let wide = 16 / dtype.size_in_bytes();
    match channels.is_multiple_of(wide) {
        true => (format!("{kernel}_{dtype_name}_wide"), wide),
        false => (format!("{kernel}_{dtype_name}_one"), 1),
    }
}

/// A dtype in the names of kernels.
pub(super) fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        _ => "f32",
    }
}
