//! Models for metrics, captions and masks, on candle-transformers: CLIP, SigLIP, LAION's aesthetic predictor, BLIP, Segment
//! Anything, and the bundled network that recognises the sketchbook's sitters.
//!
//! Everything is computed on the CPU in single precision, one picture at a time, so that a value depends on nothing but its
//! picture. What candle cannot compute as transformers does is refused. `tests/fixtures/vision.py` has the reference values.

// In reading order.
mod error;
mod folder;
mod pillow;
mod prepare;
mod tokens;

mod clip;
mod siglip;

mod encoder;

mod aesthetic;
mod captioner;
mod likeness;
mod sam_names;
mod segmenter;

mod measurers;

#[cfg(test)]
mod tests;

pub use aesthetic::{AestheticHead, AestheticPredictor};
pub use captioner::{Caption, Captioner};
pub use encoder::{Encoder, EncoderFamily};
pub use error::ModelError;
pub use folder::ModelFolder;
pub use likeness::{Likeness, Traits};
pub use measurers::{model_embedder, model_measurer};
pub use segmenter::{SeenPicture, Segment, Segmenter};
