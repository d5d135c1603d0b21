//! Recognises what the error of a device means.
//!
//! Not here: what is done about it (`sampler/out_of_memory.rs`).

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
/// from the command buffer, or for a buffer that could not be created. cuBLAS reports "not initialized" when a handle
/// could not be created; its other cause, a call without a handle, cannot arise in safe code.
const OUT_OF_MEMORY: [&str; 8] = [
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
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
        check(Error::wrap(message("CublasError(CUBLAS_STATUS_NOT_INITIALIZED)")), Failure::OutOfMemory);
        let metal = "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)";
        check(message(metal).context("a step"), Failure::OutOfMemory);
        let sticky = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
        check(Error::Cuda(sticky.into()).with_path("somewhere"), Failure::DeviceLost);
        check(message("DriverError(CUDA_ERROR_INVALID_VALUE, \"invalid argument\")"), Failure::Other);
        // A file with such a name is not a device error.
        let (model, file) = ("CUDA_ERROR_OUT_OF_MEMORY".to_owned(), "CUDA_ERROR_LAUNCH_FAILED".to_owned());
        assert_eq!(Failure::of(&ModelError::Missing { model, file, hint: String::new() }), Failure::Other);
    }
}
