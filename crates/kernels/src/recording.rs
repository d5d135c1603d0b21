//! Gradients of the CPU kernels: a record of their calls, followed back from a result to the tensors that train.
//!
//! candle's own `backward` computes the gradient of every frozen weight, adds every gradient to zeros first, and has no
//! gradients for custom kernels without a copy of each result. So [`Kernels`](crate::Kernels) for [training](crate::training) are
//! recorded here, and candle follows only what leads to their operands: transposed factors of a LoRA, text embeddings.

use crate::cpu;
use crate::layout::{as_image, channels_last};
use candle_core::{Result, Tensor, TensorId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// The calls of kernels whose results depend on tensors that train, in order.
#[derive(Default)]
pub struct Recording {
    calls: Vec<Call>,
    results: HashSet<TensorId>,
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
pub fn record<R>(run: impl FnOnce() -> R) -> (R, Recording) {
    CURRENT.set(Some(Recording::default()));
    let result = run();
    (result, CURRENT.take().unwrap_or_default())
}

/// Adds a call to the recording in progress, if one of its operands needs a gradient.
pub(crate) fn add(operands: &[Option<&Tensor>], result: &Tensor, backward: impl FnOnce() -> Backward) {
    CURRENT.with_borrow_mut(|current| {
        let Some(recording) = current else { return };
        let operands: Vec<Tensor> = operands.iter().flatten().map(|&operand| operand.clone()).collect();
        if operands.iter().any(|operand| recording.needs(operand)) {
            recording.results.insert(result.id());
            recording.calls.push(Call { operands, result: result.id(), backward: backward() });
        }
    });
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
        while let Some(call) = self.calls.pop() {
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

    fn needs(&self, tensor: &Tensor) -> bool {
        tensor.track_op() || self.results.contains(&tensor.id())
    }
}

/// The sum of two gradients; of images in the kernels' layout, which candle would add value by value.
fn sum(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    match one.rank() {
        4 => as_image(&cpu::sum(&channels_last(one)?, &channels_last(other)?)?),
        _ => cpu::sum(one, other),
    }
}
