//! Gradients of the CPU kernels, over slices.
//!
//! They split work by the shapes alone and sum in a fixed order, as the kernels do, so that a training does not depend on
//! the number of threads. Images are `[batch, height, width, channels]`.

mod activations;
mod attention;
mod conv;
mod linear;
mod norms;
mod resize;

pub(super) use activations::{geglu, sum};
pub(super) use attention::{Gradients as AttentionGradients, attention};
pub(super) use conv::{input_gradient as conv_input, weight_gradient as conv_weight};
pub(super) use linear::{column_sums, input_gradient as linear_input, weight_gradient as linear_weight};
pub(super) use norms::{NormGradients, group_norm, layer_norm};
pub(super) use resize::upsample_nearest;
