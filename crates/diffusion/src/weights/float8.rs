//! 8-bit floats, to f32.
//!
//! Decoded here because candle 0.11.1 knows only one of the two formats, and its conversion of that to f64 never returns.

use candle_core::{DType, Device, Result, Tensor};

/// How the factors of 8-bit weights end, in files of ComfyUI and of Black Forest Labs; before is the name of the layer.
pub(crate) const SCALES: [&str; 2] = ["scale_weight", "weight_scale"];

/// Whether a tensor of that name is none of the model but says how 8-bit weights are used: marks, and factors for products in
/// 8 bits.
pub(crate) fn is_mark(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    ["scaled_fp8", "scale_input", "input_scale", "comfy_quant"].contains(&name)
}

/// A format of 8-bit floats (Micikevicius et al., arXiv 2209.05433).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Float8 {
    /// torch's `float8_e4m3fn`: four bits of exponent, no infinity.
    E4m3fn,
    /// torch's `float8_e5m2`: the upper half of an IEEE half.
    E5m2,
}

impl Float8 {
    /// Values as a tensor in f32.
    pub fn tensor(self, bytes: &[u8], shape: &[usize], device: &Device) -> Result<Tensor> {
        let values: Vec<f32> = bytes.iter().map(|&byte| self.value(byte)).collect();
        Tensor::from_vec(values, shape, device)?.to_dtype(DType::F32)
    }

    /// Whether a value is neither NaN nor infinity.
    pub fn is_finite(self, byte: u8) -> bool {
        self.value(byte).is_finite()
    }

    fn value(self, byte: u8) -> f32 {
        match self {
            Float8::E5m2 => half::f16::from_bits(u16::from(byte) << 8).to_f32(),
            Float8::E4m3fn => {
                let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
                let (exponent, fraction) = (i32::from(byte >> 3 & 0xf), f32::from(byte & 7));
                sign * match (exponent, byte & 7) {
                    (0xf, 7) => f32::NAN,
                    (0, _) => fraction / 512.0,
                    _ => (1.0 + fraction / 8.0) * 2.0_f32.powi(exponent - 7),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_match_torch() {
        let check = |format: Float8, byte: u8, expected: f32| {
            assert_eq!(format.value(byte), expected, "{format:?} {byte:#x}");
            assert_eq!(format.value(byte | 0x80), -expected, "{format:?} {byte:#x}");
        };
        // `torch.tensor([byte], dtype=torch.uint8).view(torch.float8_e4m3fn).float()`
        for (byte, expected) in [
            (0, 0.0),
            (1, 0.001953125),
            (7, 0.013671875),
            (8, 0.015625),
            (0x38, 1.0),
            (0x41, 2.25),
            (0x7e, 448.0),
        ] {
            check(Float8::E4m3fn, byte, expected);
        }
        for (byte, expected) in [(0, 0.0), (1, 2f32.powi(-16)), (0x3c, 1.0), (0x3d, 1.25), (0x7b, 57344.0)] {
            check(Float8::E5m2, byte, expected);
        }
        let finite = |format: Float8| (0..=u8::MAX).filter(|&byte| format.is_finite(byte)).count();
        assert_eq!((finite(Float8::E4m3fn), finite(Float8::E5m2)), (254, 248));
    }
}
