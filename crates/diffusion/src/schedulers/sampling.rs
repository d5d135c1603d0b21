//! The settings of a picture that determine its steps.

use maquette_core::{PredictionType, Scheduler, Settings, Sigmas, Spacing};

/// The settings of a picture that determine its steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The scheduler.
    pub scheduler: Scheduler,
    /// Steps of the whole schedule, at least 1.
    pub steps: u32,
    /// How far to leave the reference picture, 0 to 1; `None` for text-to-image.
    pub strength: Option<f64>,
    /// How much fresh noise DDIM adds, 0 to 1.
    pub eta: f64,
    /// How noise levels are spaced.
    pub sigmas: Sigmas,
    /// How timesteps are chosen; not used by LCM.
    pub spacing: Spacing,
    /// What the UNet predicts; `None` for what the model's configuration says.
    pub prediction_type: Option<PredictionType>,
    /// Whether the last timestep is pure noise; `None` for what the model's configuration says.
    pub zero_snr: Option<bool>,
    /// How far schedulers of flow move the steps towards the noise; `None` for what the model's configuration says.
    pub shift: Option<f64>,
    /// Width and height of the picture in pixels.
    pub size: (u32, u32),
}

impl Sampling {
    /// The tokens of the picture in a transformer whose tokens are `edge` pixels wide and high.
    pub(crate) fn tokens(&self, edge: usize) -> usize {
        let (width, height) = self.size;
        (width as usize / edge) * (height as usize / edge)
    }
}

impl From<&Settings> for Sampling {
    fn from(settings: &Settings) -> Sampling {
        Sampling {
            scheduler: settings.scheduler,
            steps: settings.steps,
            strength: settings.strength,
            eta: settings.eta.unwrap_or(0.0),
            sigmas: settings.sigmas.unwrap_or(Sigmas::Normal),
            spacing: settings.spacing.unwrap_or(Spacing::Leading),
            prediction_type: settings.prediction_type,
            zero_snr: settings.zero_snr,
            shift: settings.shift,
            size: (settings.width, settings.height),
        }
    }
}
