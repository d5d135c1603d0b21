//! Errors of LoRAs, and hints at the model that a LoRA seems to be made for.

use crate::weights::lora::targets::Layers;
use crate::weights::small_file::{SmallFile, SmallFileError};

/// A LoRA that cannot be used with the model.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file cannot be read, or is not a valid safetensors file.
    #[error(transparent)]
    File(#[from] SmallFileError),
    /// It contains no LoRA tensors.
    #[error("{file} contains no LoRA tensors.")]
    Empty {
        /// The file.
        file: String,
    },
    /// A key for which the model has no layer.
    #[error("{file}: the model has no layer for the key `{key}`.{hint}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// The model that the file seems to be made for, or empty.
        hint: String,
    },
    /// An unsupported kind of adapter.
    #[error(
        "{file} has `{key}`, {kind}, which is not supported. Supported: LoRA, LoCon, LoHa, LoKr, each with or without \
         DoRA, and full differences."
    )]
    Kind {
        /// The file.
        file: String,
        /// The key that shows it.
        key: String,
        /// What it is.
        kind: &'static str,
    },
    /// Peft's names without its configuration.
    #[error(
        "{file} is an adapter of peft (it has `{key}`), but there is no adapter_config.json beside it. It has the alphas, \
         without which the strength of the adapter is not known; peft writes both into one folder."
    )]
    NoConfig {
        /// The file.
        file: String,
        /// One of its keys.
        key: String,
    },
    /// A value of peft's configuration that is not supported.
    #[error("{file}: `{name}` is `{value}`; allowed: {allowed}.")]
    Config {
        /// The file.
        file: String,
        /// The key.
        name: String,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A folder without a LoRA.
    #[error(
        "{folder} is a folder without a LoRA. It may have adapter_model.safetensors with adapter_config.json (peft), also \
         in folders unet, text_encoder and text_encoder_2; pytorch_lora_weights.safetensors (diffusers); or one \
         .safetensors file."
    )]
    Folder {
        /// The folder.
        folder: String,
    },
    /// Changes of two kinds for one layer.
    #[error("{file}: `{key}` and `{other}` are changes of different kinds for the layer {layer}.")]
    Mixed {
        /// The file.
        file: String,
        /// One key.
        key: String,
        /// A key of the other kind.
        other: String,
        /// The layer.
        layer: String,
    },
    /// A low-rank change of a norm.
    #[error(
        "{file} has `{key}`, but {layer} is a norm; allowed: a full difference of it (`diff`, `w_norm`)."
    )]
    NotNorm {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// The norm.
        layer: String,
    },
    /// A change of a bias that the layer has not.
    #[error("{file} has `{key}`, but the layer {layer} has no bias.")]
    NoBias {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// The layer.
        layer: String,
    },
    /// Factors of a Kronecker product that do not divide the layer's shape.
    #[error(
        "{file}: the first factor of the layer {layer} has the shape {factor:?}, which does not divide the layer's shape \
         {shape:?}.{hint}"
    )]
    Factors {
        /// The file.
        file: String,
        /// The layer.
        layer: String,
        /// The first factor's shape.
        factor: Box<[usize]>,
        /// The layer's shape.
        shape: Box<[usize]>,
        /// The model that the file seems to be made for, or empty.
        hint: Box<str>,
    },
    /// A factor without its counterpart.
    #[error("{file} has `{key}`, but no {missing} for the layer {layer}.")]
    Half {
        /// The file.
        file: String,
        /// The key that was found.
        key: String,
        /// The layer.
        layer: String,
        /// What is missing.
        missing: &'static str,
    },
    /// Two keys for the same factor.
    #[error("{file}: `{key}` and `{other}` are the same factor of the layer {layer}.")]
    Twice {
        /// The file.
        file: String,
        /// One key.
        key: String,
        /// The other key.
        other: String,
        /// The layer.
        layer: String,
    },
    /// A factor that does not fit the layer.
    #[error("{file}: `{key}` has the shape {found:?}, but the layer {layer} requires {expected:?}.{hint}")]
    Shape {
        /// The file.
        file: String,
        /// The key.
        key: Box<str>,
        /// Its shape.
        found: Box<[usize]>,
        /// The layer.
        layer: Box<str>,
        /// The shape that fits.
        expected: Box<[usize]>,
        /// The model that the file seems to be made for, or empty.
        hint: Box<str>,
    },
    /// The header's metadata cannot be parsed.
    #[error("{file}: `{key}` in its header cannot be parsed")]
    Metadata {
        /// The file.
        file: String,
        /// The key in the header.
        key: &'static str,
        /// The parser's reason.
        #[source]
        source: serde_json::Error,
    },
    /// A tensor could not be moved to the device, most often for lack of memory.
    #[error("the LoRA's weights do not fit on the device")]
    Device {
        /// Candle's reason.
        #[from]
        source: candle_core::Error,
    },
}

/// The layers that attend to the text in every model, and the width of the text in the models of common LoRAs.
const TO_K: &str = "attn2.to_k";
const WIDTHS: [(usize, &str); 3] =
    [(768, "Stable Diffusion 1"), (1024, "Stable Diffusion 2"), (2048, "SDXL")];

/// A sentence about the model that a LoRA seems to be made for, with a leading space, if it is another model.
pub(super) fn other_base(content: &SmallFile, layers: &Layers) -> String {
    let width = layers.iter().find(|(name, _)| name.ends_with(TO_K)).map(|(_, layer)| layer.inputs);
    let ending =
        |key: &str| key.contains("attn2_to_k.") || key.contains("attn2.to_k.") || key.contains("to_k_lora.");
    let down = |key: &str| {
        key.contains("down.weight") || key.contains("lora_A.weight") || key.ends_with(".hada_w1_b")
    };
    let found = content.tensors.iter().find(|(key, _)| key.contains("attn2") && ending(key) && down(key));
    let found = found.and_then(|(_, tensor)| tensor.dims().get(1).copied());
    if let (Some(width), Some(found)) = (width, found)
        && width != found
    {
        let of = |width: usize| {
            let known = WIDTHS.iter().find(|(known, _)| *known == width);
            known.map_or(String::new(), |(_, name)| format!(" ({name})"))
        };
        return format!(
            " It seems to be a LoRA for another model: it expects text embeddings of width {found}{}, but this \
             model's have width {width}{}.",
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
