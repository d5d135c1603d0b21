//! Where the arithmetic happens, and in which precision.

use candle_core::{DType, Device};
use maquette_core::Dtype;
use std::fmt;

/// A device as a person names it: `cpu`, `cuda:0`, `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU by number.
    Cuda(usize),
    /// An Apple GPU.
    Metal,
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The word names no device.
    #[error("`{0}` is no device; allowed: `auto`, `cpu`, `cuda`, `cuda:N`, `metal`")]
    Unknown(String),
    /// The program was built without it.
    #[error(
        "this build of maquette has no `{device}`; build it with `--features {feature}`, or use `--device cpu`"
    )]
    NotBuilt {
        /// What was asked for.
        device: DeviceName,
        /// The feature of the build that has it.
        feature: &'static str,
    },
    /// The machine does not have it, or its driver refuses.
    #[error("`{device}` cannot be used on this machine")]
    Unavailable {
        /// What was asked for.
        device: DeviceName,
        /// What the driver said.
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

    /// What `dtype = "auto"` means on it.
    pub fn dtype(self) -> Dtype {
        match self {
            DeviceName::Cpu => Dtype::F32,
            DeviceName::Cuda(_) | DeviceName::Metal => Dtype::F16,
        }
    }

    /// Opens it.
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

/// candle's word for a precision.
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
    fn devices_are_read_as_they_are_printed() {
        for word in ["cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(word.parse::<DeviceName>().unwrap().to_string(), word);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
        let error = "gpu".parse::<DeviceName>().unwrap_err().to_string();
        assert!(error.contains("`gpu`") && error.contains("cuda:N"), "{error}");
    }
}
