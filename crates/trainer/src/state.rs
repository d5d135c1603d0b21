//! The state of a training after a step: its parameters, and AdamW's moments.
//!
//! There is no state of the generator: its draws are repeated (`draws.rs`).

use crate::adamw::AdamW;
use crate::error::TrainError;
use crate::parameters::Parameters;
use crate::safetensors_file;
use candle_core::{Device, Result, Tensor};
use maquette_core::Training;
use safetensors::SafeTensors;
use std::collections::BTreeMap;

/// The keys of the metadata: the training's digest, and the steps done.
const TRAINING: &str = "training";
const STEP: &str = "step";

/// The bytes of a state.
pub(crate) fn save(training: &Training, parameters: &Parameters, optimizer: &AdamW) -> Result<Vec<u8>> {
    let mut tensors = BTreeMap::new();
    for (name, var) in &parameters.all {
        tensors.insert(format!("parameter.{name}"), var.as_tensor().clone());
        tensors.insert(format!("first.{name}"), optimizer.first[name].clone());
        tensors.insert(format!("second.{name}"), optimizer.second[name].clone());
    }
    let metadata = [
        (TRAINING.to_owned(), training.digest().to_string()),
        (STEP.to_owned(), optimizer.steps.to_string()),
    ];
    safetensors_file::bytes(&tensors, &metadata.into())
}

/// Restores a state of the same training.
pub(crate) fn restore(
    bytes: &[u8],
    training: &Training,
    parameters: &Parameters,
    optimizer: &mut AdamW,
    device: &Device,
) -> std::result::Result<(), TrainError> {
    let broken = |reason: String| TrainError::State { reason };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let expected = training.digest().to_string();
    if metadata.get(TRAINING) != Some(&expected) {
        return Err(broken("it is of another training".to_owned()));
    }
    let step = metadata.get(STEP).and_then(|step| step.parse().ok());
    let step = step.filter(|step| (1..=training.steps).contains(step));
    optimizer.steps = step.ok_or_else(|| broken("it does not say of which step it is".to_owned()))?;
    let mut tensors = candle_core::safetensors::load_buffer(bytes, device)?;
    let mut take = |key: String, like: &Tensor| match tensors.remove(&key) {
        Some(tensor) if tensor.shape() == like.shape() && tensor.dtype() == like.dtype() => Ok(tensor),
        Some(tensor) => Err(broken(format!("its tensor `{key}` has the shape {:?}", tensor.shape()))),
        None => Err(broken(format!("it has no tensor `{key}`"))),
    };
    for (name, var) in &parameters.all {
        var.set(&take(format!("parameter.{name}"), var)?)?;
        optimizer.first.insert(name.clone(), take(format!("first.{name}"), var)?);
        optimizer.second.insert(name.clone(), take(format!("second.{name}"), var)?);
    }
    Ok(())
}
