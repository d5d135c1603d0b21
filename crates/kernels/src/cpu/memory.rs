//! Memory for results.

/// A vector of arbitrary content: zeros would have to be written first, which takes as long as many kernels do.
///
/// In builds with debug assertions it contains NaN, so that tests find values that were not written.
///
/// # Safety
///
/// Every value must be written before it is read.
#[allow(unsafe_code, clippy::uninit_vec)]
pub(super) unsafe fn unwritten(len: usize) -> Vec<f32> {
    if cfg!(debug_assertions) {
        return vec![f32::NAN; len];
    }
    let mut values = Vec::with_capacity(len);
    // SAFETY: the capacity is `len`, any bits are a number, and the caller promises to write before reading.
    unsafe { values.set_len(len) };
    values
}
