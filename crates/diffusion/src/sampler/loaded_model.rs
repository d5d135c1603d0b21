//! A model in memory, with caches: the inputs of a cell, and its picture from its latents.
//!
//! Not here: which cells share a call, and their steps.

use crate::cache::Cache;
use crate::device::candle_dtype;
use crate::error::ModelError;
use crate::families::error::RenderError;
use crate::families::family::Family;
use crate::image::posterior::Posterior;
use crate::image::reference::Place;
use crate::image::{pixels, reference};
use crate::models::safety_checker::SafetyChecker;
use crate::sampler::control::Controls;
use crate::sampler::denoise_state::DenoiseInputs;
use crate::sampler::image_prompt::ImageConditions;
use crate::sampler::latent_blend;
use crate::sampler::latent_blend::Inpainting;
use crate::schedulers::Sampling;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use candle_core::{Device, Tensor};
use maquette_core::{Cell, DeepCache, Digest, Dtype, Image, NamedFile, Remarks, Settings};

/// How many posteriors and how many masks are cached.
const PICTURES: usize = 64;

/// Finds the files of a model by its name in an experiment.
pub type FindModel = Box<dyn Fn(&str) -> Result<ModelSource, Box<dyn std::error::Error + Send + Sync>>>;

/// Loads a model from its files.
pub(super) type LoadFamily = Box<dyn Fn(&ModelSource, &LoadOptions) -> Result<Box<dyn Family>, ModelError>>;

/// A model in memory, with caches.
pub(super) struct LoadedModel {
    name: String,
    dtype: Dtype,
    /// The digest of a separate autoencoder's file, if there is one.
    vae: Option<Digest>,
    pub family: Box<dyn Family>,
    /// Its safety checker, once a cell has needed it.
    checker: Option<SafetyChecker>,
    /// Posteriors by content, fit and size.
    references: Cache<String, Posterior>,
    /// Its ControlNet, once a cell has needed one.
    controls: Controls,
    /// Its IP-Adapter, once a cell has needed one.
    images: ImageConditions,
    /// Masks by their content, their picture's content, fit and size.
    masks: Cache<String, Inpainting>,
}

impl LoadedModel {
    /// Loads the model of these settings, with their autoencoder; `reserve` offloads it, see [`LoadOptions::offloaded`].
    pub fn load(
        settings: &Settings,
        find: &FindModel,
        load: &LoadFamily,
        device: &Device,
        reserve: Option<u64>,
    ) -> Result<LoadedModel, RenderError> {
        let options = LoadOptions::new(device, candle_dtype(settings.dtype));
        let options = reserve.map_or(options, |reserve| options.offloaded(reserve));
        Ok(LoadedModel {
            name: settings.model.to_string(),
            dtype: settings.dtype,
            vae: digest_of_vae(settings),
            family: load(&source(settings, find)?, &options)?,
            checker: None,
            controls: Controls::new(),
            images: ImageConditions::new(),
            references: Cache::new(PICTURES),
            masks: Cache::new(PICTURES),
        })
    }

    /// Whether this is the model of these settings, in their precision; the autoencoder may be another.
    pub fn is(&self, settings: &Settings) -> bool {
        *self.name == *settings.model && self.dtype == settings.dtype
    }

    /// Switches to the autoencoder of these settings. The rest of the model stays; cached pictures are dropped.
    pub fn set_vae(
        &mut self,
        settings: &Settings,
        find: &FindModel,
        device: &Device,
    ) -> Result<(), RenderError> {
        let vae = digest_of_vae(settings);
        if self.vae != vae {
            self.family.replace_vae(&source(settings, find)?, device, candle_dtype(self.dtype))?;
            self.vae = vae;
            self.references = Cache::new(PICTURES);
            self.masks = Cache::new(PICTURES);
        }
        Ok(())
    }

    /// Loads the model's safety checker, the first time that a cell needs it.
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

    /// Prepares the inputs of a cell: its LoRAs in the model's weights, its embeddings, its reference picture, its
    /// trajectory. A sentence for each truncated prompt is added to `warnings`.
    pub fn inputs(
        &mut self,
        cell: Cell,
        device: &Device,
        warnings: &mut Vec<String>,
    ) -> Result<DenoiseInputs, RenderError> {
        let settings = &cell.settings;
        self.family.set_loras(&settings.lora)?;
        let shape = latent_shape(&*self.family, settings)?;
        let inpainting = self.inpainting(settings, device)?;
        // With a mask, a strength of 1 starts from pure noise, as in diffusers.
        let strength = settings.strength.filter(|&strength| inpainting.is_none() || strength < 1.0);
        check_branch(&*self.family, settings)?;
        let sampling = Sampling { strength, ..Sampling::from(settings) };
        let trajectory = self.family.trajectory(&sampling)?;
        let guided = self.guided(settings);
        let guidance_scale = guided.guidance_scale;
        let conditioning = self.family.conditioning(&guided, warnings)?;
        let reference = match &settings.init_image {
            Some(picture) => Some(self.encode(picture, settings, device)?),
            None => None,
        };
        let control = self.controls.of(settings, &*self.family, device)?;
        let image = self.images.of(settings, &*self.family, device)?;
        Ok(DenoiseInputs {
            trajectory,
            conditioning,
            guidance_scale,
            shape,
            reference,
            inpainting,
            control,
            image,
            cell,
        })
    }

    /// The settings with the scale of classifier-free guidance, where a denoiser takes the other one as an input.
    fn guided(&self, settings: &Settings) -> Settings {
        let guidance_scale = settings.cfg_scale(self.family.embeds_guidance());
        Settings { guidance_scale, ..settings.clone() }
    }

    /// Encodes the prompts of those of these settings that are of this model, as many as have room, if its family does that
    /// ahead. `encoded` is called after each. Errors are left for the pictures themselves.
    pub fn encode_ahead<E>(
        &mut self,
        expected: &[Settings],
        mut encoded: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        for settings in expected {
            if !self.is(settings) || self.family.set_loras(&settings.lora).is_err() {
                continue;
            }
            let guided = self.guided(settings);
            if let Ok(false) = self.family.encode_ahead(&guided) {
                return Ok(());
            }
            encoded()?;
        }
        Ok(())
    }

    fn encode(
        &mut self,
        picture: &NamedFile,
        settings: &Settings,
        device: &Device,
    ) -> Result<Posterior, RenderError> {
        let LoadedModel { family, references, dtype, .. } = self;
        let place = Place::of(settings);
        let Place { fit, width, height } = place;
        references.get_or_try(&format!("{} {fit} {width} {height}", picture.digest), || {
            let picture = reference::open(&picture.file, place)?;
            Ok(family.encode(&pixels::from_image(&picture, candle_dtype(*dtype), device)?)?)
        })
    }

    fn inpainting(
        &mut self,
        settings: &Settings,
        device: &Device,
    ) -> Result<Option<Inpainting>, RenderError> {
        let LoadedModel { family, masks, dtype, .. } = self;
        let Some(key) = latent_blend::key(settings, &**family) else { return Ok(None) };
        let prepare = || latent_blend::prepare(settings, &**family, candle_dtype(*dtype), device);
        masks.get_or_try(&key, prepare).map(Some)
    }

    /// The pictures of latents, decoded in one call; `None` for those with NaN or infinity.
    pub fn decode<'a>(
        &self,
        latents: impl Iterator<Item = &'a Tensor>,
    ) -> candle_core::Result<Vec<Option<Image>>> {
        let latents = Tensor::cat(&latents.collect::<Vec<_>>(), 0)?;
        pixels::to_images(&self.family.decode(&latents)?)
    }

    /// The picture, blacked out if the safety checker flags it, and the verdict.
    pub fn checked(&self, image: Image, settings: &Settings) -> Result<(Image, Remarks), RenderError> {
        if !settings.safety_checker {
            return Ok((image, Remarks::default()));
        }
        let missing = || candle_core::Error::Msg("the safety checker is not loaded".to_owned());
        let detected = self.checker.as_ref().ok_or_else(missing)?.detects(&image)?;
        let remarks = Remarks { nsfw_content_detected: Some(detected), ..Remarks::default() };
        Ok((if detected { pixels::black(&image) } else { image }, remarks))
    }
}

/// The digest of a separate autoencoder's file, if the settings name one.
pub(super) fn digest_of_vae(settings: &Settings) -> Option<Digest> {
    settings.vae.as_ref().map(|vae| vae.digest)
}

/// `[channels, height, width]` of the latents of a picture.
fn latent_shape(family: &dyn Family, settings: &Settings) -> Result<[usize; 3], RenderError> {
    let (factor, multiple_of) = (family.factor() as u32, family.multiple_of() as u32);
    for (name, edge) in [("width", settings.width), ("height", settings.height)] {
        if edge % multiple_of != 0 {
            return Err(RenderError::Size { name, edge, multiple_of });
        }
    }
    let (height, width) = (settings.height / factor, settings.width / factor);
    Ok([family.latent_channels(), height as usize, width as usize])
}

/// Refuses a branch that the model does not have.
fn check_branch(family: &dyn Family, settings: &Settings) -> Result<(), RenderError> {
    let Some(DeepCache { interval, branch_id }) = settings.deepcache() else { return Ok(()) };
    let model = settings.model.to_string();
    match family.branches().checked_sub(1) {
        None => Err(RenderError::NoUnet { interval, model }),
        Some(last) if branch_id as usize > last => Err(RenderError::Branch { branch_id, last, model }),
        Some(_) => Ok(()),
    }
}

/// The files of the model of these settings, with their autoencoder.
fn source(settings: &Settings, find: &FindModel) -> Result<ModelSource, RenderError> {
    let source = find(&settings.model).map_err(RenderError::Find)?;
    Ok(match &settings.vae {
        Some(vae) => source.with_vae(&vae.file)?,
        None => source,
    })
}
