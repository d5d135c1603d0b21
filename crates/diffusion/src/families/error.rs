//! Errors of rendering a cell.

use crate::error::ModelError;
use crate::image::init_image::InitImageError;
use crate::image::mask::MaskError;
use crate::schedulers::ScheduleError;
use crate::text::error::TextError;
use crate::weights::lora::LoraError;
use crate::weights::textual_inversion::InversionError;

/// An error of rendering a cell; other cells are not affected.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is no model with that name.
    #[error(transparent)]
    Find(Box<dyn std::error::Error + Send + Sync>),
    /// The model cannot be loaded, or its tokenizer failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A LoRA cannot be used with the model.
    #[error(transparent)]
    Lora(Box<LoraError>),
    /// A textual inversion cannot be used with the model.
    #[error(transparent)]
    Inversion(#[from] InversionError),
    /// The schedule cannot be computed.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The reference picture cannot be used.
    #[error(transparent)]
    InitImage(#[from] InitImageError),
    /// The mask cannot be used.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// A ControlNet cannot be used with the model.
    #[error("the ControlNet {controlnet} cannot be used with the model {model}: {reason}")]
    ControlNet {
        /// Its name as written.
        controlnet: String,
        /// The model's name as written.
        model: String,
        /// Why, without its full stop.
        reason: String,
    },
    /// An IP-Adapter cannot be used with the model or its image encoder.
    #[error("the IP-Adapter {adapter} cannot be used with {with}: {reason}")]
    IpAdapter {
        /// Its name as written.
        adapter: String,
        /// What it does not fit.
        with: String,
        /// Why, without its full stop.
        reason: String,
    },
    /// An inpainting model without a picture to repaint.
    #[error("the model {model} is for inpainting; allowed: with `init_image`, and with `mask` to say where")]
    NoPicture {
        /// Its name as written.
        model: String,
    },
    /// The model has no positions for a picture of that size.
    #[error("`{name}` is {edge}; allowed: up to {largest}, for which the model has positions")]
    TooLarge {
        /// `width` or `height`.
        name: &'static str,
        /// The requested pixels.
        edge: u32,
        /// The most pixels.
        largest: u32,
    },
    /// The model cannot render a picture of that size.
    #[error("`{name}` is {edge}; allowed: multiples of {multiple_of}")]
    Size {
        /// `width` or `height`.
        name: &'static str,
        /// The requested pixels.
        edge: u32,
        /// The pixels of which it must be a multiple.
        multiple_of: u32,
    },
    /// The model's UNet has fewer branches.
    #[error(
        "`deepcache_branch_id` is {branch_id}; allowed: 0 to {last}, the skip connections of the model {model}"
    )]
    Branch {
        /// The requested one.
        branch_id: u32,
        /// The model's last one.
        last: usize,
        /// The model's name as written.
        model: String,
    },
    /// The model has no UNet.
    #[error("`deepcache_interval` is {interval}; allowed: 1 with the model {model}, which has no UNet")]
    NoUnet {
        /// The requested one.
        interval: u32,
        /// The model's name as written.
        model: String,
    },
    /// The precision overflowed.
    #[error("the image contains NaN or infinity; a wider dtype such as `f32` may help")]
    NotFinite,
    /// A tensor operation failed.
    #[error("the computation failed")]
    Tensor(#[from] candle_core::Error),
}

impl From<LoraError> for RenderError {
    fn from(error: LoraError) -> RenderError {
        // Boxed, as it is much larger than the others.
        RenderError::Lora(Box::new(error))
    }
}

impl From<TextError> for RenderError {
    fn from(error: TextError) -> RenderError {
        match error {
            TextError::Tokenizer(error) => RenderError::Model(error),
            TextError::Tensor(error) => RenderError::Tensor(error),
        }
    }
}

impl RenderError {
    /// The whole chain of causes in one sentence, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{}: {error}", text.trim_end_matches('.'));
            cause = error.source();
        }
        text
    }
}
