//! Gradients of custom kernels: a record of their calls, followed back from a result to the tensors that train.
//!
//! candle's own `backward` computes the gradient of every frozen weight, adds every gradient to zeros first, and has no
//! gradients for custom kernels without a copy of each result. So [`Kernels`](crate::Kernels) for [training](crate::training) are
//! recorded here, and candle follows only what leads to their operands: transposed factors of a LoRA, text embeddings.

use crate::cpu;
use crate::layout::{as_image, channels_last};
use candle_core::{DType, Device, Result, Tensor, TensorId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// The calls of kernels whose results depend on tensors that train, in order.
#[derive(Default)]
pub struct Recording {
    entries: Vec<Entry>,
    results: HashSet<TensorId>,
    keep: Keep,
    /// Inside of a checkpoint, whose calls are recorded when it is computed again.
    is_forgetting: bool,
}

/// What a recording keeps for the backward pass.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What the gradient of each call needs.
    #[default]
    Calls,
    /// Of the calls inside of a [`checkpoint`] its inputs: they are computed again in the backward pass. The gradients are the
    /// same to the bit (Chen et al., arXiv 1604.06174).
    Checkpoints,
}

enum Entry {
    Call(Call),
    Checkpoint { result: TensorId, again: Box<dyn FnOnce() -> Result<Tensor>> },
}

/// One call.
struct Call {
    /// The operands that may need gradients.
    operands: Vec<Tensor>,
    result: TensorId,
    backward: Backward,
}

/// The gradients of the wanted operands, given the result's gradient and which operands are wanted.
pub(crate) type Backward = Box<dyn FnOnce(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>>>;

thread_local! {
    static CURRENT: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Runs a computation and records what its kernels do on this thread, as far as it depends on candle's variables.
///
/// Calls must not be nested: the inner one would end the outer one's recording.
pub fn record<R>(keep: Keep, run: impl FnOnce() -> R) -> (R, Recording) {
    record_on(Recording { keep, ..Recording::default() }, run)
}

fn record_on<R>(recording: Recording, run: impl FnOnce() -> R) -> (R, Recording) {
    CURRENT.set(Some(recording));
    let result = run();
    (result, CURRENT.take().unwrap_or_default())
}

/// Computes a part of a model from its inputs. A recording that [keeps checkpoints](Keep::Checkpoints) keeps the inputs and computes
/// the part again in the backward pass.
///
/// Every tensor from outside that needs a gradient is one of the inputs or of the part's parameters.
pub fn checkpoint<P: Clone + 'static, I: 'static>(
    part: &P,
    inputs: I,
    run: fn(&P, &I) -> Result<Tensor>,
) -> Result<Tensor> {
    if !begin_to_forget() {
        return run(part, &inputs);
    }
    let result = run(part, &inputs);
    CURRENT.with_borrow_mut(|current| {
        let Some(recording) = current else { return };
        recording.is_forgetting = false;
        if let Ok(result) = &result
            && recording.results.contains(&result.id())
        {
            let part = part.clone();
            let again = Box::new(move || run(&part, &inputs));
            recording.entries.push(Entry::Checkpoint { result: result.id(), again });
        }
    });
    result
}

/// Whether a checkpoint begins here: false without a recording that keeps checkpoints, and inside of another one.
fn begin_to_forget() -> bool {
    CURRENT.with_borrow_mut(|current| match current {
        Some(recording) if recording.keep == Keep::Checkpoints && !recording.is_forgetting => {
            recording.is_forgetting = true;
            true
        }
        _ => false,
    })
}

/// Adds a call to the recording in progress, if one of its operands needs a gradient.
pub(crate) fn add(operands: &[Option<&Tensor>], result: &Tensor, backward: impl FnOnce() -> Backward) {
    CURRENT.with_borrow_mut(|current| {
        let Some(recording) = current else { return };
        let operands: Vec<Tensor> = operands.iter().flatten().map(|&operand| operand.clone()).collect();
        if operands.iter().any(|operand| recording.needs(operand)) {
            recording.results.insert(result.id());
            if !recording.is_forgetting {
                let call = Call { operands, result: result.id(), backward: backward() };
                recording.entries.push(Entry::Call(call));
            }
        }
    });
}

/// A matrix in another dtype, transposed, times `scale`: a factor of a LoRA as its layer reads it.
///
/// Inside of a recording it is a call like those of kernels, as candle would need many operations for the gradient.
pub(crate) fn transposed(x: &Tensor, dtype: DType, scale: f64) -> Result<Tensor> {
    fn run(x: &Tensor, dtype: DType, scale: f64) -> Result<Tensor> {
        let x = x.to_dtype(dtype)?.t()?.contiguous()?;
        if scale == 1.0 { Ok(x) } else { x * scale }
    }
    if CURRENT.with_borrow(Option::is_none) {
        return run(x, dtype, scale);
    }
    let (out, from) = (run(&x.detach(), dtype, scale)?, x.dtype());
    add(&[Some(x)], &out, || Box::new(move |gradient, _| Ok(vec![Some(run(gradient, from, scale)?)])));
    Ok(out)
}

impl Recording {
    /// The gradients of the tensors outside the recording that a result depends on and that are variables, or that candle
    /// computed from variables. The result itself is among them if candle computed it.
    ///
    /// `gradient` is that of `result`, of its shape.
    pub fn backward(mut self, result: &Tensor, gradient: Tensor) -> Result<Vec<(Tensor, Tensor)>> {
        let mut gradients = HashMap::from([(result.id(), gradient)]);
        let mut leaves: Vec<Tensor> = Vec::new();
        if !self.results.contains(&result.id()) && result.track_op() {
            leaves.push(result.clone());
        }
        while let Some(entry) = self.entries.pop() {
            let call = match entry {
                Entry::Call(call) => call,
                Entry::Checkpoint { result, again } => {
                    if let Some(gradient) = gradients.remove(&result) {
                        gradients.insert(self.record_again(again)?, gradient);
                    }
                    continue;
                }
            };
            let Some(gradient) = gradients.remove(&call.result) else { continue };
            let wanted: Vec<bool> = call.operands.iter().map(|operand| self.needs(operand)).collect();
            let found = (call.backward)(&gradient, &wanted)?;
            for (operand, found) in call.operands.into_iter().zip(found) {
                let Some(found) = found.filter(|_| self.needs(&operand)) else { continue };
                let sum = match gradients.remove(&operand.id()) {
                    Some(other) => sum(&other, &found)?,
                    None => {
                        if !self.results.contains(&operand.id()) {
                            leaves.push(operand.clone());
                        }
                        found
                    }
                };
                gradients.insert(operand.id(), sum);
            }
        }
        Ok(leaves
            .into_iter()
            .filter_map(|leaf| gradients.remove(&leaf.id()).map(|sum| (leaf, sum)))
            .collect())
    }

    /// Adds the calls of a checkpoint. Returns what its result is now.
    fn record_again(&mut self, run: impl FnOnce() -> Result<Tensor>) -> Result<TensorId> {
        let known = Recording { results: std::mem::take(&mut self.results), ..Recording::default() };
        let (result, recorded) = record_on(known, run);
        self.results = recorded.results;
        self.entries.extend(recorded.entries);
        Ok(result?.id())
    }

    fn needs(&self, tensor: &Tensor) -> bool {
        tensor.track_op() || self.results.contains(&tensor.id())
    }
}

/// The sum of two gradients; of images in the kernels' layout, which candle would add value by value.
fn sum(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    match (one.device(), one.dtype(), one.rank()) {
        (Device::Cpu, DType::F32, 4) => as_image(&cpu::sum(&channels_last(one)?, &channels_last(other)?)?),
        (Device::Cpu, DType::F32, _) => cpu::sum(one, other),
        (_, _, 4) => as_image(&(channels_last(one)? + channels_last(other)?)?),
        _ => one + other,
    }
}
