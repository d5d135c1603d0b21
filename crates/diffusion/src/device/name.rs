//! Devices by name: which ones this build supports, opening them, their precision.

#[cfg(feature = "cuda")]
use crate::device::cuda;
use crate::device::driver::Driver;
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
    /// A list names a GPU twice.
    #[error("`{0}` is named twice; each GPU has one part in a run")]
    Twice(DeviceName),
    /// A list has devices of several kinds.
    #[error(
        "`{0}` and `{1}` cannot share a run: their pictures differ in precision; allowed: several of one kind"
    )]
    Mixed(DeviceName, DeviceName),
    /// The program was built without support for it.
    #[error(
        "this build of maquette has no support for `{device}`; make one that has with `cargo build --release -p \
         maquette-cli --features {feature}` (see docs/gpu.md), or use `--device cpu`"
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
        DeviceName::detect().0
    }

    /// The best device, and why it is not the GPU for which this build was made, if so. Does not open CUDA devices.
    pub fn detect() -> (DeviceName, Option<DeviceError>) {
        let mut unavailable = None;
        for device in [DeviceName::Cuda(0), DeviceName::Metal] {
            match device.check() {
                Ok(()) => return (device, None),
                Err(DeviceError::NotBuilt { .. }) => {}
                Err(error) => unavailable = unavailable.or(Some(error)),
            }
        }
        (DeviceName::Cpu, unavailable)
    }

    /// The devices of a list with commas, such as `cuda:0,cuda:1`: at least one, all of one kind, each GPU once.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Unknown`], [`DeviceError::Twice`] or [`DeviceError::Mixed`].
    pub fn list(text: &str) -> Result<Vec<DeviceName>, DeviceError> {
        let mut devices: Vec<DeviceName> = Vec::new();
        for word in text.split(',') {
            let device: DeviceName = word.trim().parse()?;
            if device != DeviceName::Cpu && devices.contains(&device) {
                return Err(DeviceError::Twice(device));
            }
            if let Some(first) = devices.first()
                && std::mem::discriminant(first) != std::mem::discriminant(&device)
            {
                return Err(DeviceError::Mixed(*first, device));
            }
            devices.push(device);
        }
        Ok(devices)
    }

    /// Whether this build supports the device and the machine has it.
    fn check(self) -> Result<(), DeviceError> {
        match self {
            #[cfg(feature = "cuda")]
            DeviceName::Cuda(number) => {
                let unavailable = |source| DeviceError::Unavailable { device: self, source };
                match cuda::count().map_err(unavailable)? {
                    count if number < count => Ok(()),
                    count => {
                        let missing = format!("the driver found {count} GPUs, numbered from 0");
                        Err(unavailable(candle_core::Error::Msg(missing)))
                    }
                }
            }
            _ => self.open().map(|_| ()),
        }
    }

    /// The precision of `dtype = "auto"` on it.
    pub fn dtype(self) -> Dtype {
        match self {
            DeviceName::Cpu => Dtype::F32,
            DeviceName::Cuda(_) | DeviceName::Metal => Dtype::F16,
        }
    }

    /// The bytes that can still be allocated on it, if its driver says so. Opens the device.
    pub fn free_memory(self) -> Option<u64> {
        self.open().ok()?.free_memory()
    }

    /// Opens the device. A CUDA device is the same each time on one thread, and must stay on that thread with its tensors.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            DeviceName::Cpu => Ok(Device::Cpu),
            #[cfg(feature = "cuda")]
            DeviceName::Cuda(number) => {
                cuda::open(number).map_err(|source| DeviceError::Unavailable { device: self, source })
            }
            #[cfg(not(feature = "cuda"))]
            DeviceName::Cuda(_) => Err(DeviceError::NotBuilt { device: self, feature: "cuda" }),
            DeviceName::Metal if !cfg!(feature = "metal") => {
                Err(DeviceError::NotBuilt { device: self, feature: "metal" })
            }
            DeviceName::Metal => {
                Device::new_metal(0).map_err(|source| DeviceError::Unavailable { device: self, source })
            }
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
    fn device_names_round_trip() {
        for word in ["cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(word.parse::<DeviceName>().unwrap().to_string(), word);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
        let error = "gpu".parse::<DeviceName>().unwrap_err().to_string();
        assert!(error.contains("`gpu`") && error.contains("cuda:N"), "{error}");
    }

    #[test]
    fn lists_have_devices_of_one_kind() {
        let list = |text: &str| DeviceName::list(text).map_err(|error| error.to_string());
        assert_eq!(list("cuda:1, cuda:0"), Ok(vec![DeviceName::Cuda(1), DeviceName::Cuda(0)]));
        assert_eq!(list("cpu,cpu"), Ok(vec![DeviceName::Cpu; 2]));
        let check = |text: &str, part: &str| {
            let error = list(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("cuda,cuda:0", "`cuda:0` is named twice");
        check("cpu,metal", "`cpu` and `metal` cannot share a run");
        check("cuda:0,", "`` is not a device");
    }

    /// Only in builds without a GPU's feature, such as the ordinary one.
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    #[test]
    fn a_build_for_the_cpu_says_how_to_get_another() {
        for (device, feature) in [(DeviceName::Cuda(0), "cuda"), (DeviceName::Metal, "metal")] {
            let error = device.open().unwrap_err().to_string();
            let command = format!("`cargo build --release -p maquette-cli --features {feature}`");
            assert!(error.contains(&command) && error.contains("docs/gpu.md"), "{error}");
            assert!(error.contains(&format!("`{device}`")) && error.contains("`--device cpu`"), "{error}");
        }
        let (device, unavailable) = DeviceName::detect();
        assert!(device == DeviceName::Cpu && unavailable.is_none());
    }
}
