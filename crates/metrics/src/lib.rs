//! Numbers about pictures: differences in pixels, perceptual hashes, and the metrics of CLIP, SigLIP and other models.
//!
//! [`METRICS`] is the list of metrics: names, help, ranges and checks come from it. [`Measurer`]s compute them for
//! [`MetricInput`]s, and [`measure`] loads the pictures of many cells in chunks and hands them to the measurers.
//!
//! Not here: runs, logs, plans. The caller says which pictures belong together.

#![forbid(unsafe_code)]

// In reading order.
mod metric;

mod input;
mod measurer;

mod ciede2000;
mod duplicates;
mod models;
mod phash;
mod psnr;
mod sharpness;
mod ssim;

mod pixel_measurer;
mod pixels;

mod run;

pub use input::{MetricInput, Score};
pub use measurer::{Embedder, Measurer};
pub use metric::{Better, METRICS, MODELS, Metric, MetricModel, Needs};
pub use models::{
    AestheticHead, AestheticPredictor, Caption, Captioner, Encoder, EncoderFamily, Likeness, ModelError,
    ModelFolder, SeenPicture, Segment, Segmenter, Traits, model_embedder, model_measurer,
};
pub use pixel_measurer::without_model;
pub use pixels::Pixels;
pub use run::{Load, Measured, Task, chunk_size, embed, measure};

#[cfg(test)]
mod tests;
