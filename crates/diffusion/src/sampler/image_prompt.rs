//! The pictures that cells attend to through an IP-Adapter: the adapter is loaded once, each picture is encoded once.

use crate::cache::Cache;
use crate::device::candle_dtype;
use crate::families::error::RenderError;
use crate::families::family::Family;
use crate::families::ip_adapter::{ImageEncoderFolder, IpAdapterFile};
use crate::image::init_image::InitImageError;
use crate::models::clip_vision::ImageEncoder;
use crate::models::unet::ip_adapter::{ImageInput, IpAdapter};
use crate::weights::load_options::LoadOptions;
use candle_core::{Device, Tensor};
use maquette_core::{Digest, NamedFile, Settings};
use std::sync::Arc;

/// How many pictures are cached; each is some kilobytes.
const PICTURES: usize = 64;

/// A cell's IP-Adapter and its picture.
pub(super) struct ImageCondition {
    pub adapter: Arc<IpAdapter>,
    /// The tokens of the picture, and those of none for the negative prompt; `[1, tokens, text width]`.
    pub tokens: [Tensor; 2],
    /// The factor of the attention to it.
    pub scale: f64,
}

/// The loaded IP-Adapter of a model, one at a time.
pub(super) struct ImageConditions {
    loaded: Option<Loaded>,
    /// The tokens of pictures by their content.
    tokens: Cache<Digest, [Tensor; 2]>,
}

struct Loaded {
    digests: [Digest; 2],
    adapter: Arc<IpAdapter>,
    input: ImageInput,
    encoder: ImageEncoder,
}

impl ImageConditions {
    pub fn new() -> ImageConditions {
        ImageConditions { loaded: None, tokens: Cache::new(PICTURES) }
    }

    /// The picture of a cell; `None` if it attends to none.
    pub fn of(
        &mut self,
        settings: &Settings,
        family: &dyn Family,
        device: &Device,
    ) -> Result<Option<ImageCondition>, RenderError> {
        let Some((adapter, encoder, picture)) = files(settings) else { return Ok(None) };
        let digests = [adapter.digest, encoder.digest];
        if self.loaded.as_ref().is_none_or(|loaded| loaded.digests != digests) {
            // The old one is dropped first: two may not fit.
            *self = ImageConditions::new();
            let options = LoadOptions::new(device, candle_dtype(settings.dtype));
            self.loaded = Some(load(adapter, encoder, settings, family, &options)?);
        }
        let Some(Loaded { adapter, input, encoder, .. }) = &self.loaded else { return Ok(None) };
        let tokens = self.tokens.get_or_try(&picture.digest, || {
            let picture = maquette_picture::decode(&picture.file).map_err(InitImageError::from)?;
            let [shown, none] = encoder.encode(&picture, *input)?;
            Ok::<_, RenderError>([adapter.tokens(&shown)?, adapter.tokens(&none)?])
        })?;
        let scale = settings.ip_adapter_scale.unwrap_or(1.0);
        Ok(Some(ImageCondition { adapter: Arc::clone(adapter), tokens, scale }))
    }
}

/// The digest of the IP-Adapter that a cell uses.
pub(super) fn digest(settings: &Settings) -> Option<[Digest; 2]> {
    files(settings).map(|(adapter, encoder, _)| [adapter.digest, encoder.digest])
}

/// The adapter, its encoder and its picture, if they have an effect.
fn files(settings: &Settings) -> Option<(&NamedFile, &NamedFile, &NamedFile)> {
    let Settings { ip_adapter, ip_adapter_image_encoder, ip_adapter_image, .. } = settings;
    settings.shows_image().then_some(())?;
    Some((ip_adapter.as_ref()?, ip_adapter_image_encoder.as_ref()?, ip_adapter_image.as_ref()?))
}

fn load(
    adapter: &NamedFile,
    encoder: &NamedFile,
    settings: &Settings,
    family: &dyn Family,
    options: &LoadOptions,
) -> Result<Loaded, RenderError> {
    let digests = [adapter.digest, encoder.digest];
    let name = adapter.path.to_string();
    let file = IpAdapterFile::open(&adapter.file)?;
    let folder = ImageEncoderFolder::at(&encoder.file)?;
    let (input, outputs) = (file.input(), folder.outputs()?);
    if !outputs.contains(&input) {
        let [embedding, tokens] = outputs;
        let with = format!("the image encoder {}", folder.path().display());
        let reason = format!("it takes one with {input}, this one has {embedding} and {tokens}");
        return Err(RenderError::IpAdapter { adapter: name, with, reason });
    }
    let adapter = Arc::new(file.load(options)?);
    if let Some(reason) = family.ip_adapter_mismatch(&adapter) {
        let with = format!("the model {}", settings.model);
        return Err(RenderError::IpAdapter { adapter: name, with, reason });
    }
    Ok(Loaded { digests, adapter, input, encoder: folder.load(options)? })
}
