//! Gradients of activations, and sums of gradients.

use crate::cpu::activations::geglu_slopes;
use crate::cpu::memory::unwritten;
use crate::cpu::norm::TOKENS;
use rayon::prelude::*;

/// The values of a task.
const CHUNK: usize = 16384;

/// The gradient of `x`, `[tokens, 2 * half]`, whose first half is multiplied by GELU of the second one.
pub(in crate::cpu) fn geglu(x: &[f32], gradient: &[f32], half: usize) -> Vec<f32> {
    // SAFETY: both halves of every token are written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    let tokens = out.par_chunks_mut(2 * half).zip(x.par_chunks(2 * half)).zip(gradient.par_chunks(half));
    tokens.with_min_len(TOKENS).for_each(|((out, x), gradient)| {
        let (out, out_gate) = out.split_at_mut(half);
        geglu_slopes(out, out_gate, &x[..half], &x[half..], gradient);
    });
    out
}

/// The sums of two gradients.
pub(in crate::cpu) fn sum(one: &[f32], other: &[f32]) -> Vec<f32> {
    // SAFETY: every chunk is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(one.len()) };
    let chunks = out.par_chunks_mut(CHUNK).zip(one.par_chunks(CHUNK)).zip(other.par_chunks(CHUNK));
    chunks.for_each(|((out, one), other)| {
        out.iter_mut().zip(one).zip(other).for_each(|((out, one), other)| *out = one + other);
    });
    out
}
