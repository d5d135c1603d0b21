//! Gradients of activations.

use crate::cpu::activations::geglu_slopes;
use crate::cpu::memory::unwritten;
use crate::cpu::norm::TOKENS;
use rayon::prelude::*;

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
