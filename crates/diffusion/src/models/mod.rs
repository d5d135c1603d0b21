//! The networks: tensors in, tensors out. Which of them belong together is in `families`.

pub(crate) mod resnet;
pub(crate) mod safety_checker;
pub(crate) mod unet;
pub(crate) mod vae;
