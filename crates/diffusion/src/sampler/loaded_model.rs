//! A model in memory, and what has been computed with it: what a cell departs with and how it lands.
//!
//! Not here: which cells fly together, and their steps (`engine.rs`).

use crate::cache::Cache;
use crate::device::candle_dtype;
use crate::families::stable_diffusion::{Model, ModelSource};
use crate::image::pixels;
use crate::image::reference;
use crate::image::reference::{Place, Posterior};
use crate::models::safety_checker::SafetyChecker;
use crate::sampler::denoise_state::Departure;
use crate::sampler::error::RenderError;
use crate::sampler::latent_blend as inpaint;
use crate::sampler::latent_blend::Inpainting;
use crate::schedulers::{Sampling, trajectory};
use crate::text::encode::Prompts;
use candle_core::{Device, Tensor};
use maquette_core::{Cell, Digest, Dtype, Image, NamedFile, Remarks, Settings};

/// How many posteriors are remembered, and how many masks.
const PICTURES: usize = 64;

/// Finds the files of a model by the name that an experiment gives it.
pub type FindModel = Box<dyn Fn(&str) -> Result<ModelSource, Box<dyn std::error::Error + Send + Sync>>>;

/// A model in memory, and what has been computed with it.
pub(crate) struct Loaded {
    name: String,
    pub dtype: Dtype,
    /// The autoencoder's own file, where it has one.
    vae: Option<Digest>,
    pub model: Model,
    prompts: Prompts,
    /// Its safety checker, once a cell has asked for it.
    checker: Option<SafetyChecker>,
    /// Posteriors by content, fit and size.
    references: Cache<String, Posterior>,
    /// Masks by content, that of their picture, fit and size.
    masks: Cache<String, Inpainting>,
}

impl Loaded {
    /// Loads the model of these settings, with their autoencoder.
    pub fn load(settings: &Settings, find: &FindModel, device: &Device) -> Result<Loaded, RenderError> {
        let model = Model::load(&source(settings, find)?, device, candle_dtype(settings.dtype))?;
        Ok(Loaded {
            name: settings.model.to_string(),
            dtype: settings.dtype,
            vae: digest_of_vae(settings),
            model,
            prompts: Prompts::new(),
            checker: None,
            references: Cache::new(PICTURES),
            masks: Cache::new(PICTURES),
        })
    }

    /// Whether this is the model of these settings, in their precision; the autoencoder may be another.
    pub fn is(&self, settings: &Settings) -> bool {
        *self.name == *settings.model && self.dtype == settings.dtype
    }

    /// Takes the autoencoder of these settings. The rest of the model stays; what the old one made of pictures does not.
    pub fn set_vae(
        &mut self,
        settings: &Settings,
        find: &FindModel,
        device: &Device,
    ) -> Result<(), RenderError> {
        let vae = digest_of_vae(settings);
        if self.vae != vae {
            self.model.replace_vae(&source(settings, find)?, device, candle_dtype(self.dtype))?;
            self.vae = vae;
            self.references = Cache::new(PICTURES);
            self.masks = Cache::new(PICTURES);
        }
        Ok(())
    }

    /// Loads the model's safety checker, the first time that a cell asks for it.
    pub fn load_checker(
        &mut self,
        settings: &Settings,
        find: &FindModel,
        device: &Device,
    ) -> Result<(), RenderError> {
        if settings.safety_checker && self.checker.is_none() {
            let source = find(&settings.model).map_err(RenderError::Find)?;
            self.checker = Some(SafetyChecker::load(&source, device, candle_dtype(self.dtype))?);
        }
        Ok(())
    }

    /// What a cell begins with: its LoRAs in the model's weights, its embeddings, its reference picture, its trajectory.
    /// Words that a prompt loses are added to `cut`.
    pub fn departure(
        &mut self,
        cell: Cell,
        device: &Device,
        cut: &mut Vec<String>,
    ) -> Result<Departure, RenderError> {
        let settings = &cell.settings;
        self.model.set_loras(&settings.lora)?;
        let factor = self.model.vae.factor() as u32;
        for (name, edge) in [("width", settings.width), ("height", settings.height)] {
            if edge % factor != 0 {
                return Err(RenderError::Size { name, edge, factor });
            }
        }
        let shape = [
            self.model.vae.latent_channels,
            (settings.height / factor) as usize,
            (settings.width / factor) as usize,
        ];
        let inpainting = self.inpainting(settings, device)?;
        // Under a mask all of the strength starts from noise alone, as diffusers does it.
        let strength = settings.strength.filter(|&strength| inpainting.is_none() || strength < 1.0);
        let sampling = Sampling { strength, ..Sampling::from(settings) };
        let trajectory = trajectory(&self.model.scheduler_config, &sampling)?;
        let inversions = self.model.inversions(&settings.embeddings)?;
        let conditioning = self.prompts.conditioning(&self.model, &inversions, settings, cut)?;
        let reference = match &settings.init_image {
            Some(picture) => Some((self.encode(picture, settings, device)?, self.model.vae.scaling_factor)),
            None => None,
        };
        Ok(Departure { trajectory, conditioning, shape, reference, inpainting, cell })
    }

    fn encode(
        &mut self,
        picture: &NamedFile,
        settings: &Settings,
        device: &Device,
    ) -> Result<Posterior, RenderError> {
        let Loaded { model, references, dtype, .. } = self;
        let Place { fit, width, height } = Place::of(settings);
        references.get_or_try(&format!("{} {fit} {width} {height}", picture.digest), || {
            let pixels = reference::pixels(&picture.file, Place::of(settings), candle_dtype(*dtype), device)?;
            Ok(Posterior::of(&model.vae, &pixels)?)
        })
    }

    fn inpainting(
        &mut self,
        settings: &Settings,
        device: &Device,
    ) -> Result<Option<Inpainting>, RenderError> {
        let Loaded { model, masks, dtype, .. } = self;
        let Some(key) = inpaint::key(settings, model) else { return Ok(None) };
        masks.get_or_try(&key, || inpaint::prepare(settings, model, candle_dtype(*dtype), device)).map(Some)
    }

    /// The picture, black where the safety checker takes offence, and what it said.
    pub fn checked(&self, image: Image, settings: &Settings) -> Result<(Image, Remarks), RenderError> {
        if !settings.safety_checker {
            return Ok((image, Remarks::default()));
        }
        let missing = || candle_core::Error::Msg("the safety checker is not loaded".to_owned());
        let detected = self.checker.as_ref().ok_or_else(missing)?.detects(&image)?;
        let remarks = Remarks { nsfw_content_detected: Some(detected), ..Remarks::default() };
        Ok((if detected { pixels::black(&image) } else { image }, remarks))
    }

    pub fn decode(&self, latents: &Tensor) -> Result<Image, RenderError> {
        let latents = (latents / self.model.vae.scaling_factor)?;
        pixels::to_image(&self.model.vae.decode(&latents)?)
    }
}

/// The digest of the autoencoder's own file, where settings name one.
pub(crate) fn digest_of_vae(settings: &Settings) -> Option<Digest> {
    settings.vae.as_ref().map(|vae| vae.digest)
}

/// Where the model of these settings lies, with their autoencoder.
fn source(settings: &Settings, find: &FindModel) -> Result<ModelSource, RenderError> {
    let source = find(&settings.model).map_err(RenderError::Find)?;
    Ok(match &settings.vae {
        Some(vae) => source.with_vae(&vae.file)?,
        None => source,
    })
}
