//! A slice that several tasks write to at once, each in its own parts.

use std::marker::PhantomData;

/// An exclusively borrowed slice, split at run time into parts that no two tasks may share.
#[derive(Clone, Copy)]
pub(super) struct SharedSlice<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the values are reached only through `part`, whose callers promise that parts in use do not overlap.
#[allow(unsafe_code)]
unsafe impl Send for SharedSlice<'_> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for SharedSlice<'_> {}

impl<'a> SharedSlice<'a> {
    pub(super) fn new(values: &'a mut [f32]) -> SharedSlice<'a> {
        SharedSlice { start: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// `len` values from `at` on.
    ///
    /// # Panics
    ///
    /// If they are not all in the slice.
    ///
    /// # Safety
    ///
    /// No other part that is in use may overlap this one.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    #[inline(always)]
    pub(super) unsafe fn part(&self, at: usize, len: usize) -> &'a mut [f32] {
        assert!(at <= self.len && len <= self.len - at, "a part outside its slice");
        // SAFETY: the range is in bounds by the assertion, the slice is borrowed exclusively for 'a, and the caller
        // promises that nothing else refers to these values.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }
}
