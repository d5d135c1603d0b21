//! Matrix products of one task, never parallel inside, so that the result depends only on the shapes; and buffers.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// A matrix in a slice, in any layout.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix whose rows are `stride` values apart.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Matrix<'a> {
        Matrix { values, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The same values with rows and columns exchanged.
    pub(super) fn transposed(self) -> Matrix<'a> {
        let Matrix { values, rows, columns, row_stride, column_stride } = self;
        Matrix { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    fn fits(&self) -> bool {
        let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
        last < self.values.len()
    }
}

/// Writes `lhs` times `rhs` to `out`, row-major without gaps.
#[allow(unsafe_code)]
pub(super) fn multiply(out: &mut [f32], lhs: Matrix, rhs: Matrix) {
    let (m, k, n) = (lhs.rows, lhs.columns, rhs.columns);
    if m * n * k == 0 {
        return out.fill(0.0);
    }
    assert!(rhs.rows == k && out.len() == m * n && lhs.fits() && rhs.fits(), "mismatched matrices");
    // SAFETY: all three are distinct slices, `out` by its exclusive borrow, and the assertion above ensures that the
    // last element of each is in bounds. Strides fit in isize because slices do.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of this thread, so that tasks do not allocate memory repeatedly.
///
/// Its initial content is arbitrary. Calls must not be nested.
pub(super) fn with_scratch<R>(len: usize, run: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.borrow_mut();
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        run(&mut scratch[..len])
    })
}

/// Buffers that no call is using.
static BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Lends a buffer to a call that shares it among its tasks: fresh memory would cost a page fault for each of its pages.
///
/// Its initial content is arbitrary.
pub(super) fn with_buffer<R>(len: usize, run: impl FnOnce(&mut [f32]) -> R) -> R {
    let buffers = || BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffer = {
        let mut free = buffers();
        // The smallest that is large enough, or else the largest one.
        let fitting = (0..free.len()).filter(|&at| free[at].len() >= len).min_by_key(|&at| free[at].len());
        let at = fitting.or_else(|| (0..free.len()).max_by_key(|&at| free[at].len()));
        at.map(|at| free.swap_remove(at)).unwrap_or_default()
    };
    if buffer.len() < len {
        buffer = vec![0.0; len];
    }
    let result = run(&mut buffer[..len]);
    buffers().push(buffer);
    result
}
