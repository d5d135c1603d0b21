//! How much memory a model's weights take, from the headers of its files.

use super::load;
use crate::device::{DeviceName, candle_dtype};
use crate::error::ModelError;
use crate::families::detect::detect;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use crate::weights::tally::{PartSize, Tally};
use candle_core::Device;
use maquette_core::{Dtype, Lora};
use maquette_kernels::{reference, select};

/// How much memory a model's weights take, without what pictures take and without the tables of words, which stay in their files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelSize {
    /// Its parts, each with the weights that are read.
    pub parts: Vec<PartSize>,
    /// Whether text encoders and denoiser are not in memory at the same time.
    pub takes_turns: bool,
    /// The bytes of LoRAs: of their factors on a CPU, and of the second copies of the weights that they change.
    pub loras: u64,
    /// The fewest bytes that are in memory at once if the weights are offloaded, which is the case on a CPU.
    pub offloaded: u64,
}

impl ModelSize {
    /// The most bytes that are in memory at once.
    pub fn at_once(&self) -> u64 {
        let sum = |wanted: fn(&str) -> bool| -> u64 {
            self.parts.iter().filter(|part| wanted(&part.part)).map(|part| part.memory).sum()
        };
        let text = sum(|part| part.starts_with("text_"));
        let denoiser = sum(|part| matches!(part, "unet" | "transformer"));
        let both = if self.takes_turns { text.max(denoiser) } else { text + denoiser };
        both + sum(|part| part == "vae") + self.loras
    }
}

/// How much memory a model's weights take on a device in `dtype`, with those of the `loras` that are used together. Only headers,
/// configurations and tokenizers are read. Fails as loading the model would, if names or shapes are wrong.
pub fn model_size(
    source: &ModelSource,
    device: DeviceName,
    dtype: Dtype,
    loras: &[Lora],
) -> Result<ModelSize, ModelError> {
    let (cpu, dtype) = (Device::Cpu, candle_dtype(dtype));
    let kernels = if device == DeviceName::Cpu { select(&cpu, dtype) } else { reference() };
    let options = LoadOptions::new(&cpu, dtype).with_kernels(kernels);
    let sizes = |options: &LoadOptions| {
        let tally = Tally::default();
        let memory = load(source, &options.tallied(&tally))?.lora_memory(loras);
        let factors = if device == DeviceName::Cpu { memory.factors } else { 0 };
        let copies = memory.copies * kernels.storage_dtype(dtype).size_in_bytes() as u64;
        Ok::<_, ModelError>((tally.into_parts(), factors + copies))
    };
    let (parts, of_loras) = sizes(&options)?;
    let takes_turns = detect(source).family().is_flow();
    // The weights of these stay in their files in any case.
    let offloaded = if takes_turns { (parts.clone(), of_loras) } else { sizes(&options.offloaded(0))? };
    let kept = |part: &PartSize| part.memory - part.streamed;
    let block = offloaded.0.iter().map(|part| part.block).max().unwrap_or(0);
    let offloaded = offloaded.0.iter().map(kept).sum::<u64>() + block + offloaded.1;
    Ok(ModelSize { parts, takes_turns, loras: of_loras, offloaded })
}
