//! Memory for results, and hints where it will be read.

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

/// Makes mimalloc keep the memory that a layer frees for the next one, instead of giving it back to the system after a
/// second of use by the program: each page that comes back is filled with zeros and costs a fault, a quarter of the time of
/// several decoded pictures.
///
/// Of no effect in programs with another allocator, or if `MIMALLOC_PURGE_DELAY` is in the environment.
#[allow(unsafe_code)]
pub(crate) fn keep_freed() {
    // SAFETY: sets a number that mimalloc reads whenever it frees a block.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, -1) };
}

/// `mi_option_purge_delay` of `mimalloc.h`, in milliseconds; negative: never.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Begins to load the cache line of the first of these values, for a loop whose steps are too long for the processor to
/// foresee.
#[inline(always)]
#[allow(unsafe_code, unused_variables)]
pub(super) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of the architecture has the instruction, which never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().cast());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn freed_memory_is_kept() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        let delay = || {
            // SAFETY: reads a number.
            unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }
        };
        // The number of the option is right if it has mimalloc's default, unless another test has set it.
        assert!([1000, -1].contains(&delay()), "{}", delay());
        keep_freed();
        assert_eq!(delay(), -1);
    }
}
