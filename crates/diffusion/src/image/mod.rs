//! Input and output pictures of the engine: the reference picture, the mask, pixels.

pub mod init_image;
pub(crate) mod mask;
pub(crate) mod pixels;
pub(crate) mod posterior;
pub(crate) mod reference;
