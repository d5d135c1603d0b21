//! What a ControlNet adds to the features of a UNet.

use candle_core::{Result, Tensor};

/// What a ControlNet adds to the features of a call's rows.
#[derive(Debug)]
pub struct Residuals {
    /// One image for each skip connection of the UNet that is computed, in order.
    pub(super) skips: Vec<Tensor>,
    /// For the block in the middle, if it is computed.
    pub(super) middle: Option<Tensor>,
}

impl Residuals {
    /// The UNet's skip connections plus these.
    pub(super) fn add_to(&self, skips: &[Tensor]) -> Result<Vec<Tensor>> {
        if skips.len() != self.skips.len() {
            candle_core::bail!("a ControlNet with {} features for {}", self.skips.len(), skips.len())
        }
        skips.iter().zip(&self.skips).map(|(skip, residual)| skip + residual).collect()
    }
}
