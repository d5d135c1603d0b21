//! The networks: tensors in, tensors out. They are combined in `families`.

pub(crate) mod clip_vision;
pub(crate) mod resnet;
pub(crate) mod safety_checker;
pub(crate) mod unet;
pub(crate) mod vae;
