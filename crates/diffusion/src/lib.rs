//! The engine: Stable Diffusion's models in diffusers' layout, on candle's tensors.
//!
//! From the top down: `sampler` has the loop, `families` combine the networks of a model, `models`, `text` and `image`
//! are their parts, `weights` reads files; `schedulers` and `noise` compute plain numbers.
//!
//! Deliberately not here: experiment files, runs on disk, printing.

mod cache;
mod device;
mod error;
mod families;
mod image;
mod models;
mod noise;
mod sampler;
mod schedulers;
mod text;
mod weights;

pub use device::{DeviceError, DeviceName};
pub use error::ModelError;
pub use families::card::{card, card_with, check_sampling, model_notes};
pub use families::controlnet::ControlNetFiles;
pub use families::detect::{Kind as FamilyKind, tiny_vae_name};
pub use families::error::RenderError;
pub use families::files::{files, fingerprint, safety_checker_digest, safety_checker_files};
pub use families::ip_adapter::{ImageEncoderFolder, IpAdapterFile};
pub use families::kind as family_kind;
pub use families::note::{Concerns, ModelNote};
pub use families::sdxl::Sdxl;
pub use families::sizes::{ModelSize, model_size};
pub use families::stable_diffusion::StableDiffusion;
pub use families::vocabulary::{inversions, prompt_reader, tokenizer};
pub use image::init_image;
pub use image::mask::{MaskError, check_mask};
pub use image::pixels::from_image;
pub use models::safety_checker::SafetyChecker;
pub use models::unet::controlnet::ControlNet;
pub use models::unet::ip_adapter::ImagePrompt;
pub use models::unet::residuals::Residuals;
pub use models::unet::{Conditions, Unet};
pub use models::vae::Vae;
pub use noise::TorchCpu;
pub use sampler::engine::Engine;
pub use sampler::loaded_model::FindModel;
pub use schedulers::SchedulerConfig;
pub use text::cut::Cut;
pub use text::dialect as prompt;
pub use text::encoded_prompt::EncodedPrompt;
pub use text::encoder::TextEncoder;
pub use text::inversions::Inversions;
pub use text::prompt_report::{ClipReader, PromptReader, PromptReport, ReadChunk, read_prompt};
pub use text::tokenizer::{Tokenizer, Tokens, Word};
pub use weights::load_options::{LoadOptions, Variables};
pub use weights::lora::targets::{Layer as LoraTarget, Layers as LoraTargets};
pub use weights::lora::{
    LoraError, check as check_lora, digest as lora_digest, has_embeddings as lora_has_embeddings,
};
pub use weights::separate_vae::SeparateVae;
pub use weights::single_file::Checkpoint;
pub use weights::small_file::SmallFileError;
pub use weights::source::ModelSource;
pub use weights::tally::PartSize;
pub use weights::textual_inversion::InversionError;
pub use weights::transformer_file::TransformerFile;
pub use weights::trigger_words::trigger_words;
