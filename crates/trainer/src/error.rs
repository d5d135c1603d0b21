//! Errors of a training.

use maquette_diffusion::init_image::InitImageError;
use maquette_diffusion::{DeviceError, ModelError};

/// A training that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be loaded, or its tokenizer failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model is of a kind that cannot be trained.
    #[error(
        "{model} {what}, which cannot be trained; allowed: text-to-image models of Stable Diffusion 1, 2 and XL"
    )]
    Kind {
        /// The model as written.
        model: String,
        /// What it is or does.
        what: &'static str,
    },
    /// There are no pictures.
    #[error("the subject `{subject}` has no pictures; a training needs at least one, better 4 to 20")]
    NoPictures {
        /// The subject's name.
        subject: String,
    },
    /// Prior preservation without pictures.
    #[error("`class_prompt` is set, but there are no pictures of the class; allowed: at least one")]
    NoClassPictures,
    /// Not as many pictures as the training lists.
    #[error("the training lists {expected} pictures, but {found} were loaded")]
    Pictures {
        /// How many it lists.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A picture cannot be resized.
    #[error(transparent)]
    Picture(#[from] InitImageError),
    /// The resolution does not suit the model.
    #[error("`resolution` is {width}x{height}; allowed: multiples of {factor}")]
    Resolution {
        /// Requested width.
        width: u32,
        /// Requested height.
        height: u32,
        /// Pixels per latent pixel.
        factor: u32,
    },
    /// A setting is out of range.
    #[error("`{name}` is {value}; allowed: {allowed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The word of a textual inversion has a meaning already.
    #[error(
        "the word `{word}` is already in the model's vocabulary; a textual inversion needs a new one, such as `<{word}>`"
    )]
    WordTaken {
        /// The word.
        word: String,
    },
    /// The class has no tokens.
    #[error(
        "`class` is empty; a textual inversion starts from its embeddings: name what the subject is, such as `man`"
    )]
    NoClass,
    /// The loss or its gradient is NaN or infinite.
    #[error(
        "the loss is {loss} in step {step}: the training has diverged. Try a lower learning rate than {learning_rate}, or \
         more warm-up steps; the weights of earlier checkpoints are still good"
    )]
    NotFinite {
        /// The step, from 1.
        step: u32,
        /// The loss.
        loss: f32,
        /// The learning rate of the training.
        learning_rate: f64,
    },
    /// A saved state cannot be used.
    #[error("the saved state cannot be used: {reason}")]
    State {
        /// Why.
        reason: String,
    },
    /// A tensor operation failed, for example for want of memory.
    #[error("the computation failed")]
    Tensor(#[from] candle_core::Error),
}
