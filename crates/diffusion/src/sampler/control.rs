//! The ControlNet that a cell follows: loaded once for many cells, its picture embedded once.

use crate::cache::Cache;
use crate::device::candle_dtype;
use crate::families::controlnet::ControlNetFiles;
use crate::families::error::RenderError;
use crate::families::family::Family;
use crate::image::reference::Place;
use crate::image::{pixels, reference};
use crate::models::unet::controlnet::ControlNet;
use crate::weights::load_options::LoadOptions;
use candle_core::{Device, Tensor};
use maquette_core::{Digest, Fit, NamedFile, Settings};
use std::ops::Range;
use std::sync::Arc;

/// How many embedded pictures are cached.
const PICTURES: usize = 64;

/// The ControlNet of a picture.
pub(super) struct Control {
    pub net: Arc<ControlNet>,
    /// The embedded picture, see [`ControlNet::embed`].
    pub hint: Tensor,
    /// The factor of its features.
    pub scale: f64,
    /// The calls of the denoiser that follow it.
    pub calls: Range<usize>,
}

/// The loaded ControlNet of a model, one at a time.
pub(super) struct Controls {
    loaded: Option<(Digest, Arc<ControlNet>)>,
    /// Its pictures by content, fit and size.
    hints: Cache<String, Tensor>,
}

impl Controls {
    pub fn new() -> Controls {
        Controls { loaded: None, hints: Cache::new(PICTURES) }
    }

    /// The ControlNet of a cell; `None` if no step of it follows one.
    pub fn of(
        &mut self,
        settings: &Settings,
        family: &dyn Family,
        device: &Device,
    ) -> Result<Option<Control>, RenderError> {
        let calls = settings.control_calls();
        let (Some(controlnet), Some(picture)) = (&settings.controlnet, &settings.control_image) else {
            return Ok(None);
        };
        if calls.is_empty() {
            return Ok(None);
        }
        let dtype = candle_dtype(settings.dtype);
        let net = self.load(controlnet, settings, family, &LoadOptions::new(device, dtype))?;
        let place = place(settings);
        let Place { fit, width, height } = place;
        let hint = self.hints.get_or_try(&format!("{} {fit} {width} {height}", picture.digest), || {
            let picture = reference::open(&picture.file, place)?;
            Ok::<_, RenderError>(net.embed(&pixels::fractions(&picture, dtype, device)?)?)
        })?;
        let scale = settings.controlnet_conditioning_scale.unwrap_or(1.0);
        Ok(Some(Control { net, hint, scale, calls }))
    }

    fn load(
        &mut self,
        controlnet: &NamedFile,
        settings: &Settings,
        family: &dyn Family,
        options: &LoadOptions,
    ) -> Result<Arc<ControlNet>, RenderError> {
        if let Some((digest, net)) = &self.loaded
            && *digest == controlnet.digest
        {
            return Ok(Arc::clone(net));
        }
        // The old one is dropped first: two may not fit.
        *self = Controls::new();
        let net = Arc::new(ControlNetFiles::open(&controlnet.file)?.load(options)?);
        if let Some(reason) = family.control_mismatch(&net) {
            let (controlnet, model) = (controlnet.path.to_string(), settings.model.to_string());
            return Err(RenderError::ControlNet { controlnet, model, reason });
        }
        self.loaded = Some((controlnet.digest, Arc::clone(&net)));
        Ok(net)
    }
}

/// The digest of the ControlNet that a cell follows in some step.
pub(super) fn digest(settings: &Settings) -> Option<Digest> {
    let controlnet = settings.controlnet.as_ref().filter(|_| !settings.control_calls().is_empty());
    controlnet.map(|controlnet| controlnet.digest)
}

/// How its picture is fitted: as the reference picture, so that both show the same part; alone, stretched, as in diffusers.
fn place(settings: &Settings) -> Place {
    let place = Place::of(settings);
    Place { fit: settings.fit.unwrap_or(Fit::Stretch), ..place }
}
