//! Devices, their precision, and recognising device errors.

use candle_core::{DType, Device};
use maquette_core::Dtype;
use std::fmt;

/// A device by name: `cpu`, `cuda:0`, `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU by number.
    Cuda(usize),
    /// An Apple GPU.
    Metal,
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device has that name.
    #[error("`{0}` is not a device; allowed: `auto`, `cpu`, `cuda`, `cuda:N`, `metal`")]
    Unknown(String),
    /// The program was built without support for it.
    #[error(
        "this build of maquette does not support `{device}`; build it with `--features {feature}`, or use \
         `--device cpu`"
    )]
    NotBuilt {
        /// The requested device.
        device: DeviceName,
        /// The feature that enables it.
        feature: &'static str,
    },
    /// The machine does not have it, or its driver failed.
    #[error("`{device}` cannot be used on this machine")]
    Unavailable {
        /// The requested device.
        device: DeviceName,
        /// The driver's reason.
        source: candle_core::Error,
    },
}

impl DeviceName {
    /// The best device that this build can use on this machine.
    pub fn auto() -> DeviceName {
        [DeviceName::Cuda(0), DeviceName::Metal]
            .into_iter()
            .find(|device| device.open().is_ok())
            .unwrap_or(DeviceName::Cpu)
    }

    /// The precision of `dtype = "auto"` on it.
    pub fn dtype(self) -> Dtype {
        match self {
            DeviceName::Cpu => Dtype::F32,
            DeviceName::Cuda(_) | DeviceName::Metal => Dtype::F16,
        }
    }

    /// Opens the device.
    pub fn open(self) -> Result<Device, DeviceError> {
        let unavailable = |source| DeviceError::Unavailable { device: self, source };
        match self {
            DeviceName::Cpu => Ok(Device::Cpu),
            DeviceName::Cuda(_) if !cfg!(feature = "cuda") => {
                Err(DeviceError::NotBuilt { device: self, feature: "cuda" })
            }
            DeviceName::Metal if !cfg!(feature = "metal") => {
                Err(DeviceError::NotBuilt { device: self, feature: "metal" })
            }
            DeviceName::Cuda(number) => Device::new_cuda(number).map_err(unavailable),
            DeviceName::Metal => Device::new_metal(0).map_err(unavailable),
        }
    }
}

impl std::str::FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(word: &str) -> Result<DeviceName, DeviceError> {
        match word {
            "auto" => Ok(DeviceName::auto()),
            "cpu" => Ok(DeviceName::Cpu),
            "cuda" => Ok(DeviceName::Cuda(0)),
            "metal" => Ok(DeviceName::Metal),
            _ => match word.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Ok(DeviceName::Cuda(number)),
                _ => Err(DeviceError::Unknown(word.to_owned())),
            },
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceName::Cpu => f.write_str("cpu"),
            DeviceName::Cuda(number) => write!(f, "cuda:{number}"),
            DeviceName::Metal => f.write_str("metal"),
        }
    }
}

/// The kind of a failed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The device is out of memory; a smaller call may fit.
    OutOfMemory,
    /// The device can no longer be used in this process: later calls fail, too.
    DeviceLost,
    /// Anything else.
    Other,
}

/// Errors of drivers and libraries for lack of memory. CUDA's as cudarc prints them; Metal's as candle passes them on
/// from the command buffer, or for a buffer that could not be created.
const OUT_OF_MEMORY: [&str; 7] = [
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CURAND_STATUS_ALLOCATION_FAILED",
    "kIOGPUCommandBufferCallbackErrorOutOfMemory",
    "Failed to create metal resource: Buffer",
];

/// Errors after which a CUDA context cannot be used (the driver's `CUresult`: "must be terminated and relaunched"), or
/// which mean that the device is gone; and Metal's error for all submissions after such an error.
const DEVICE_LOST: [&str; 17] = [
    "CUDA_ERROR_DEINITIALIZED",
    "CUDA_ERROR_NO_DEVICE",
    "CUDA_ERROR_DEVICE_UNAVAILABLE",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "CUDA_ERROR_ASSERT",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_CONTAINED",
    "kIOGPUCommandBufferCallbackErrorSubmissionsIgnored",
];

impl Failure {
    /// Finds candle's error among the causes of an error and searches its text, the only form available in every
    /// build.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Failure {
        let mut cause = Some(error);
        let mut text = String::new();
        while let Some(error) = cause {
            if error.is::<candle_core::Error>() || !text.is_empty() {
                text += &error.to_string();
            }
            cause = error.source();
        }
        let names = |names: &[&str]| names.iter().any(|name| text.contains(name));
        if names(&DEVICE_LOST) {
            Failure::DeviceLost
        } else if names(&OUT_OF_MEMORY) {
            Failure::OutOfMemory
        } else {
            Failure::Other
        }
    }
}

/// candle's dtype for a precision.
pub(crate) fn candle_dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_errors_are_recognised() {
        use crate::error::ModelError;
        use candle_core::Error;
        let check = |error: Error, expected: Failure| {
            assert_eq!(Failure::of(&error), expected, "{error}");
            let wrapped = ModelError::Device { model: "a".to_owned(), source: error };
            assert_eq!(Failure::of(&wrapped), expected, "{wrapped}");
        };
        let message = |text: &str| Error::Msg(text.to_owned());
        check(message("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"), Failure::OutOfMemory);
        check(Error::Cuda("CublasError(CUBLAS_STATUS_ALLOC_FAILED)".into()), Failure::OutOfMemory);
        let metal = "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)";
        check(message(metal).context("a step"), Failure::OutOfMemory);
        let sticky = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
        check(Error::Cuda(sticky.into()).with_path("somewhere"), Failure::DeviceLost);
        check(message("DriverError(CUDA_ERROR_INVALID_VALUE, \"invalid argument\")"), Failure::Other);
        // A file with such a name is not a device error.
        let (model, file) = ("CUDA_ERROR_OUT_OF_MEMORY".to_owned(), "CUDA_ERROR_LAUNCH_FAILED".to_owned());
        assert_eq!(Failure::of(&ModelError::Missing { model, file, hint: String::new() }), Failure::Other);
    }

    #[test]
    fn device_names_round_trip() {
        for word in ["cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(word.parse::<DeviceName>().unwrap().to_string(), word);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
        let error = "gpu".parse::<DeviceName>().unwrap_err().to_string();
        assert!(error.contains("`gpu`") && error.contains("cuda:N"), "{error}");
    }
}
