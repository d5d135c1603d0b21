//! The weight of a timestep in the loss: min-SNR-gamma (Hang et al., arXiv 2303.09556).

use maquette_core::PredictionType;

/// The factor of a loss at a timestep whose `alphas_cumprod` is `alpha`; 1 if gamma is 0.
///
/// `min(snr, gamma) / snr` where noise is predicted, `min(snr, gamma) / (snr + 1)` for velocity, with `snr = alpha / (1 -
/// alpha)`. Source: diffusers' training scripts and `compute_snr`.
pub(crate) fn snr_weight(alpha: f32, gamma: f64, prediction: PredictionType) -> f64 {
    if gamma == 0.0 {
        return 1.0;
    }
    let alpha = f64::from(alpha);
    let snr = alpha / (1.0 - alpha);
    match prediction {
        PredictionType::VPrediction => snr.min(gamma) / (snr + 1.0),
        // With a signal-to-noise ratio of 0 this is its limit, 1.
        _ if snr <= gamma => 1.0,
        _ => gamma / snr,
    }
}
