//! Errors of a model: its folder, its configuration, its weights, its tokenizer.
//!
//! Not here: errors of rendering (`families/error.rs`).

/// A model that cannot be loaded. Files are named by the model, followed by their path within its folder.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of diffusers' layout is missing.
    #[error("{model} has no {file}.{hint}")]
    Missing {
        /// The model's folder or name.
        model: String,
        /// The missing file.
        file: String,
        /// What to do about it, or empty.
        hint: String,
    },
    /// The model is of a kind that the engine cannot run.
    #[error("{model} is {what}, which is not supported. {supported}")]
    Kind {
        /// The model's folder or name.
        model: String,
        /// What it is, and what to do about it.
        what: String,
        /// The supported kinds.
        supported: &'static str,
    },
    /// A file exists and cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A configuration file is not JSON, or not of the expected form.
    #[error("{file} cannot be parsed")]
    Json {
        /// The file.
        file: String,
        /// The parser's reason.
        #[source]
        source: serde_json::Error,
    },
    /// A configuration has a value that the engine does not support, or contradicts itself.
    #[error("{file}: `{key}` is {value}, which is not supported. Supported: {supported}.")]
    Config {
        /// The file.
        file: String,
        /// The key in it.
        key: String,
        /// Its value, as JSON.
        value: String,
        /// The supported values.
        supported: String,
    },
    /// A weight file is truncated, or not a safetensors file.
    #[error("{file} is not a valid safetensors file: {reason}.")]
    Weights {
        /// The file.
        file: String,
        /// What is wrong with it, with lengths if known.
        reason: String,
    },
    /// A file is a Python pickle.
    #[error(
        "{file} is a Python pickle, which can run code and is not supported. Use the model's .safetensors file, or \
         convert the pickle if you trust it: in Python, `safetensors.torch.save_file(torch.load(file, \
         weights_only=True)[\"state_dict\"], \"model.safetensors\")`."
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// A single file is not a model that the engine can run.
    #[error(
        "{file} is not a single file of a supported model: {reason}. Supported are checkpoints of Stable Diffusion 1, 2 and \
         XL, and transformers and checkpoints of Stable Diffusion 3, Z-Image, FLUX.1, FLUX.2 klein, Chroma and Anima, all \
         with their authors' tensor names."
    )]
    Checkpoint {
        /// The file.
        file: String,
        /// What it seems to be, or what is missing.
        reason: String,
    },
    /// A GGUF file is not a model that the engine can run.
    #[error(
        "{file} is {what}. Models in GGUF are transformers of Stable Diffusion 3, Z-Image, FLUX.1, FLUX.2 klein, Chroma and \
         Anima, with the names of their authors' code, as ComfyUI-GGUF's converter writes them."
    )]
    Gguf {
        /// The file.
        file: String,
        /// What it is, as far as its header says.
        what: String,
    },
    /// A file has one part of a model, and the others are missing.
    #[error("{file} is {what}. Add beside it: {missing}.")]
    Alone {
        /// The file.
        file: String,
        /// What it is.
        what: String,
        /// The missing files, and where people get them.
        missing: String,
    },
    /// A file is not a ControlNet.
    #[error("{file} is not a ControlNet: {reason}.")]
    ControlNet {
        /// The file.
        file: String,
        /// What it seems to be, or what is missing.
        reason: String,
    },
    /// A file is not an IP-Adapter of a supported kind.
    #[error("{file} is not an IP-Adapter that can be used: {reason}.")]
    IpAdapter {
        /// The file.
        file: String,
        /// What it seems to be, or what is missing.
        reason: String,
    },
    /// There is no encoder for the pictures of an IP-Adapter.
    #[error(
        "{file} needs an image encoder, CLIP's vision tower with {input}; looked for config.json and model.safetensors in \
         {places}. `h94/IP-Adapter` on the hub has it in `models/image_encoder`; put that folder beside the file, or name \
         it with `ip_adapter_image_encoder`."
    )]
    NoImageEncoder {
        /// The IP-Adapter's file.
        file: String,
        /// The output that it takes.
        input: String,
        /// The folders that were searched.
        places: String,
    },
    /// A weight file has a tensor that the configuration does not include.
    #[error("{file} has a tensor `{key}`{more} that {config} does not include.")]
    Extra {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// How many more there are, or empty.
        more: String,
        /// The configuration file.
        config: String,
    },
    /// A tensor contains NaN or infinity.
    #[error("{file}: tensor `{key}` contains NaN or infinity, at position {position} of {count}.")]
    NotFinite {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// The first such value, counted from 0.
        position: usize,
        /// How many values it has.
        count: usize,
    },
    /// A tensor has a type that weights cannot have.
    #[error("{file}: tensor `{key}` has the dtype {dtype}, which is not supported. Supported: {supported}.")]
    Dtype {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// Its dtype.
        dtype: String,
        /// The supported dtypes.
        supported: &'static str,
    },
    /// A weight file lacks a tensor that the configuration requires.
    #[error("{file} has no tensor `{key}`, which {config} requires.")]
    Tensor {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// The configuration file.
        config: String,
    },
    /// A tensor's shape differs from the one that the configuration requires.
    #[error("{file}: tensor `{key}` has the shape {found:?}, but {config} requires {expected:?}.")]
    Shape {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// Its shape in the file.
        found: Box<[usize]>,
        /// The required shape.
        expected: Box<[usize]>,
        /// The configuration file.
        config: String,
    },
    /// The tokenizer's files are invalid.
    #[error("{file}: {reason}.")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor could not be moved to the device, most often for lack of memory.
    #[error("{model} does not fit on the device")]
    Device {
        /// The model's folder or name.
        model: String,
        /// Candle's reason.
        #[source]
        source: candle_core::Error,
    },
}
