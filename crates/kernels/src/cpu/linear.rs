//! Linear layers: tiles of tokens times panels of the weight.

use super::matrix::with_scratch;
use super::memory::unwritten;
use super::pairs::{self, Pairs};
use super::products::{DEPTH, PanelWidth, depths, multiply_lines};
use super::shared::SharedSlice;
use half::bf16;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// The most tokens of a task.
const TOKENS: usize = 256;
/// The fewest tasks of a layer, if it is large enough.
const TASKS: usize = 16;

/// A weight `[inputs, outputs]`.
#[derive(Clone, Copy)]
pub(super) enum Weight<'a> {
    F32(&'a [f32]),
    /// Its products are those of inputs rounded to bf16, too, with sums in f32.
    Bf16(&'a [bf16]),
}

/// A layer on tokens.
pub(super) struct Layer<'a> {
    pub inputs: usize,
    pub outputs: usize,
    /// `[tokens, inputs]`
    pub x: &'a [f32],
    pub weight: Weight<'a>,
    /// `[outputs]`
    pub bias: Option<&'a [f32]>,
    /// `[tokens, outputs]`
    pub residual: Option<&'a [f32]>,
}

impl Layer<'_> {
    /// `[tokens, outputs]`
    pub(super) fn run(&self) -> Vec<f32> {
        let tokens = self.x.len() / self.inputs;
        let arch = Arch::new();
        let width = match self.weight {
            Weight::F32(_) => arch.dispatch(PanelWidth),
            Weight::Bf16(_) => pairs::WIDTH,
        };
        // SAFETY: the tasks below write every output of every token.
        #[allow(unsafe_code)]
        let mut values = unsafe { unwritten(tokens * self.outputs) };
        let out = SharedSlice::new(&mut values);
        let (across, panels) = (tokens.div_ceil(TOKENS), self.outputs.div_ceil(width));
        // How tasks are cut does not change any result.
        let parts = TASKS.div_ceil(across.max(1)).clamp(1, panels.max(1));
        (0..across * parts).into_par_iter().for_each(|task| {
            let (tile, part) = (task / parts, task % parts);
            let tokens = tile * TOKENS..tokens.min((tile + 1) * TOKENS);
            let panels = part * panels / parts..(part + 1) * panels / parts;
            let task = Task { layer: self, tokens, panels, width, out };
            match self.weight {
                Weight::F32(weight) => with_scratch((task.tokens.len() + DEPTH) * width, |scratch| {
                    arch.dispatch(InF32 { task, weight, scratch });
                }),
                Weight::Bf16(weight) => task.in_bf16(weight),
            }
        });
        values
    }
}

/// Some tokens and panels of outputs of a layer.
struct Task<'a> {
    layer: &'a Layer<'a>,
    tokens: Range<usize>,
    panels: Range<usize>,
    width: usize,
    out: SharedSlice<'a>,
}

struct InF32<'a> {
    task: Task<'a>,
    weight: &'a [f32],
    scratch: &'a mut [f32],
}

impl WithSimd for InF32<'_> {
    type Output = ();

    // Loops instead of closures: a function that is not inlined would be compiled without the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let InF32 { task, weight, scratch } = self;
        let &Layer { inputs, outputs, x, .. } = task.layer;
        let (count, width) = (task.tokens.len(), task.width);
        let x = &x[task.tokens.start * inputs..task.tokens.end * inputs];
        let (sums, panel) = scratch.split_at_mut(count * width);
        for number in task.panels.clone() {
            let columns = task.columns(number);
            for depth in depths(inputs, DEPTH) {
                let panel = &mut panel[..depth.len() * width];
                for (line, from) in
                    panel.chunks_mut(width).zip(weight[depth.start * outputs..].chunks(outputs))
                {
                    let (line, beyond) = line.split_at_mut(columns.len());
                    line.copy_from_slice(&from[columns.clone()]);
                    beyond.fill(0.0);
                }
                let x = (&x[depth.start..], inputs);
                multiply_lines(simd, count, x, panel, width, (&mut *sums, width), depth.start == 0);
            }
            task.finish(columns, sums);
        }
    }
}

impl Task<'_> {
    fn columns(&self, panel: usize) -> Range<usize> {
        panel * self.width..self.layer.outputs.min((panel + 1) * self.width)
    }

    fn in_bf16(&self, weight: &[bf16]) {
        let &Layer { inputs, outputs, x, .. } = self.layer;
        let (count, width) = (self.tokens.len(), self.width);
        let x = Pairs::of_lines(&x[self.tokens.start * inputs..self.tokens.end * inputs], inputs);
        with_scratch(count * width, |sums| {
            let mut panel = Pairs::default();
            for number in self.panels.clone() {
                let columns = self.columns(number);
                panel.fill_with_panel(weight, outputs, columns.clone(), width);
                pairs::multiply((&x.words, x.depth), &panel.words, sums, true);
                self.finish(columns, sums);
            }
        });
    }

    /// Writes sums `[tokens, width]` of these columns, with bias and residual.
    #[inline(always)]
    fn finish(&self, columns: Range<usize>, sums: &[f32]) {
        let Layer { outputs, bias, residual, .. } = self.layer;
        for (token, sums) in self.tokens.clone().zip(sums.chunks(self.width)) {
            let at = token * outputs + columns.start;
            // SAFETY: no other task has these tokens and columns.
            #[allow(unsafe_code)]
            let out = unsafe { self.out.part(at, columns.len()) };
            out.copy_from_slice(&sums[..out.len()]);
            if let Some(bias) = bias {
                out.iter_mut().zip(&bias[columns.clone()]).for_each(|(out, x)| *out += x);
            }
            if let Some(residual) = residual {
                out.iter_mut().zip(&residual[at..]).for_each(|(out, x)| *out += x);
            }
        }
    }
}
