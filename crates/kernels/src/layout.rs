//! Channels-last images: the layout in memory of the CPU and CUDA kernels. Shapes stay `[B, channels, height, width]`.

use candle_core::{Result, Tensor};

/// `[B, height, width, channels]` of an image; a copy only if the image is in the usual layout.
pub(crate) fn channels_last(image: &Tensor) -> Result<Tensor> {
    image.permute((0, 2, 3, 1))?.contiguous()
}

/// The inverse of [`channels_last`], which never copies.
pub(crate) fn as_image(channels_last: &Tensor) -> Result<Tensor> {
    channels_last.permute((0, 3, 1, 2))
}
