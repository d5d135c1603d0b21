//! What can be wrong with a LoRA, and whose it seems to be.

use crate::weights::lora::targets::Layers;
use crate::weights::small_file::{SmallFile, SmallFileError};

/// A LoRA that cannot be used with the model.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file cannot be read, or is no whole safetensors file.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// There is nothing in it.
    #[error("{file} changes nothing: there are no LoRA tensors in it.")]
    Empty {
        /// The file.
        file: String,
    },
    /// A key that leads to no layer of the model.
    #[error("{file}: the model has no layer for the key `{key}`.{hint}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What the file seems to be made for, or nothing.
        hint: String,
    },
    /// Another kind of change.
    #[error(
        "{file} is {kind} (it has `{key}`), which is not supported. Supported: LoRA, also of convolutions (LoCon)."
    )]
    Kind {
        /// The file.
        file: String,
        /// What shows it.
        key: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A factor without the other.
    #[error("{file}: `{key}` is there, but no {missing} for the layer {layer}.")]
    Half {
        /// The file.
        file: String,
        /// The key that is there.
        key: String,
        /// The layer.
        layer: String,
        /// What is not there.
        missing: &'static str,
    },
    /// Two keys for the same.
    #[error("{file}: `{key}` and `{other}` are the same of the layer {layer}.")]
    Twice {
        /// The file.
        file: String,
        /// One of them.
        key: String,
        /// The other.
        other: String,
        /// The layer.
        layer: String,
    },
    /// A factor that does not fit the layer.
    #[error("{file}: `{key}` has the shape {found:?}, and the layer {layer} asks for {expected:?}.{hint}")]
    Shape {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// Its shape.
        found: Box<[usize]>,
        /// The layer.
        layer: String,
        /// The shape that fits.
        expected: Box<[usize]>,
        /// What the file seems to be made for, or nothing.
        hint: Box<str>,
    },
    /// The header holds something else than was promised.
    #[error("{file}: `{key}` in its header cannot be understood")]
    Metadata {
        /// The file.
        file: String,
        /// The key in the header.
        key: &'static str,
        /// Where it broke.
        #[source]
        source: serde_json::Error,
    },
    /// The device refused a tensor: most often it has no room.
    #[error("the LoRA's weights do not fit on the device")]
    Device {
        /// Candle's reason.
        #[from]
        source: candle_core::Error,
    },
}

/// What attends to the text in every model, and how wide the text is in those that people have LoRAs for.
const TO_K: &str = "attn2.to_k";
const WIDTHS: [(usize, &str); 3] =
    [(768, "Stable Diffusion 1"), (1024, "Stable Diffusion 2"), (2048, "SDXL")];

/// A sentence about the model that a LoRA seems to be made for, with a space in front, if that is another one.
pub(super) fn other_base(content: &SmallFile, layers: &Layers) -> String {
    let width = layers.iter().find(|(name, _)| name.ends_with(TO_K)).map(|(_, layer)| layer.inputs);
    let ending =
        |key: &str| key.contains("attn2_to_k.") || key.contains("attn2.to_k.") || key.contains("to_k_lora.");
    let down = |key: &str| key.contains("down.weight") || key.contains("lora_A.weight");
    let found = content.tensors.iter().find(|(key, _)| key.contains("attn2") && ending(key) && down(key));
    let found = found.and_then(|(_, tensor)| tensor.dims().get(1).copied());
    if let (Some(width), Some(found)) = (width, found)
        && width != found
    {
        let of = |width: usize| {
            let known = WIDTHS.iter().find(|(known, _)| *known == width);
            known.map_or(String::new(), |(_, name)| format!(", as {name}'s"))
        };
        return format!(
            " It seems to be a LoRA for another model: it expects texts {found} wide{}, and this model's are {width} \
             wide{}.",
            of(found),
            of(width)
        );
    }
    if content.tensors.keys().any(|key| key.starts_with("transformer.") || key.contains("double_blocks")) {
        return " It seems to be a LoRA for a model without a UNet, such as Flux or Stable Diffusion 3."
            .to_owned();
    }
    let written = ["ss_base_model_version", "modelspec.architecture"];
    match written.iter().find_map(|key| content.metadata.get(*key)) {
        Some(base) => format!(" Its header says that it was made for `{base}`."),
        None => String::new(),
    }
}
