//! What can be wrong with a model: its folder, its configuration, its weights, its tokenizer.
//!
//! Not here: what goes wrong while pictures are rendered (`families/error.rs`).

/// A model that cannot be loaded. Files are named relative to the model's folder, after the model itself.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file that every model in diffusers' layout has.
    #[error("{model} has no {file}.{hint}")]
    Missing {
        /// The model's folder or name.
        model: String,
        /// What was looked for.
        file: String,
        /// What to do about it, or nothing.
        hint: String,
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
    /// A configuration file is not JSON, or JSON of another form.
    #[error("{file} cannot be parsed")]
    Json {
        /// The file.
        file: String,
        /// Where it broke.
        #[source]
        source: serde_json::Error,
    },
    /// A configuration asks for something else than the engine can do, or contradicts itself.
    #[error("{file}: `{key}` is {value}, which is not supported. Supported: {supported}.")]
    Config {
        /// The file.
        file: String,
        /// The key in it.
        key: String,
        /// Its value, as JSON.
        value: String,
        /// What the engine can do.
        supported: String,
    },
    /// A weight file is cut short, or no safetensors file at all.
    #[error("{file} is not a whole safetensors file: {reason}.")]
    Weights {
        /// The file.
        file: String,
        /// What is wrong with it, with lengths where they are known.
        reason: String,
    },
    /// A file is a Python pickle.
    #[error(
        "{file} is a Python pickle, which can run code and is not read. Take the model's .safetensors file, or make \
         one of it with a tool that you trust: in Python, `safetensors.torch.save_file(torch.load(file, \
         weights_only=True)[\"state_dict\"], \"model.safetensors\")`."
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// A single file holds no model that the engine can run.
    #[error(
        "{file} is not a checkpoint of Stable Diffusion 1, 2 or XL in the naming of model sites: {reason}."
    )]
    Checkpoint {
        /// The file.
        file: String,
        /// What it is instead, or what is missing.
        reason: String,
    },
    /// A weight file has a tensor that the configuration does not ask for.
    #[error("{file} has a tensor `{key}`{more}, and {config} has no place for it.")]
    Extra {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// How many more there are, or nothing.
        more: String,
        /// The configuration file.
        config: String,
    },
    /// A tensor holds a NaN or an infinity.
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
    /// A weight file lacks a tensor that the configuration asks for.
    #[error("{file} has no tensor `{key}`, which {config} asks for.")]
    Tensor {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// The configuration file.
        config: String,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("{file}: tensor `{key}` has the shape {found:?}, and {config} asks for {expected:?}.")]
    Shape {
        /// The weight file.
        file: String,
        /// The tensor's name.
        key: String,
        /// Its shape in the file.
        found: Box<[usize]>,
        /// The shape that fits the configuration.
        expected: Box<[usize]>,
        /// The configuration file.
        config: String,
    },
    /// The tokenizer's files do not make a tokenizer.
    #[error("{file}: {reason}.")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The device refused a tensor: most often it is out of memory.
    #[error("{model} does not fit on the device")]
    Device {
        /// The model's folder or name.
        model: String,
        /// Candle's reason.
        #[source]
        source: candle_core::Error,
    },
}
