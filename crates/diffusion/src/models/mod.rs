//! The networks: tensors in, tensors out. They are combined in `families`.

pub(crate) mod anima;
mod attention;
pub(crate) mod clip_vision;
pub(crate) mod cosmos;
mod double_block;
pub(crate) mod flux1;
pub(crate) mod flux2;
pub(crate) mod mmdit;
pub(crate) mod qwen_image;
pub(crate) mod resnet;
pub(crate) mod rotary;
pub(crate) mod safety_checker;
pub(crate) mod sinusoids;
mod tokens;
pub(crate) mod unet;
pub(crate) mod vae;
pub(crate) mod z_image;
