//! Loading the networks of the families: text encoders, UNet, VAE, and any other part.
//!
//! Not here: which of them a family has, and whether their widths match.

use crate::device::Driver;
use crate::error::ModelError;
use crate::families::family::{ControlRows, Predicted, Rows};
use crate::families::files::{TEXT, TextPart, UNET_CONFIG, UNET_WEIGHTS, VAE_CONFIG, VAE_WEIGHTS};
use crate::image::posterior::Posterior;
use crate::models::unet::controlnet::ControlNet;
use crate::models::unet::{self, Conditions, Unet};
use crate::models::vae::{Vae, needs_f32};
use crate::text::encoder::TextEncoder;
use crate::text::qwen::{self, Qwen};
use crate::text::sentence_tokenizer::SentenceTokenizer;
use crate::text::t5::{self, T5};
use crate::text::tokenizer::Tokenizer;
use crate::weights::blocks::load_all;
use crate::weights::config::ConfigFile;
use crate::weights::load_options::{LoadOptions, Offload};
use crate::weights::lora::targets::{Record, Targets};
use crate::weights::single_file;
use crate::weights::source::ModelSource;
use crate::weights::tensors::{WeightFile, Weights};
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::Weight;
use std::cell::{Cell, RefCell};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Input channels of an inpainting UNet: latents, a mask, and the latents of the picture without the masked part.
pub(super) fn inpainting_channels(latents: usize) -> usize {
    2 * latents + 1
}

/// A model that is being loaded, part by part.
pub(super) struct Loader<'a> {
    source: &'a ModelSource,
    pub options: LoadOptions<'a>,
    record: Record,
    in_file: RefCell<Vec<Weight>>,
}

impl<'a> Loader<'a> {
    pub fn new(source: &'a ModelSource, options: &LoadOptions<'a>) -> Loader<'a> {
        Loader { source, options: *options, record: Record::default(), in_file: RefCell::default() }
    }

    /// The files of the model.
    pub fn source(&self) -> &'a ModelSource {
        self.source
    }

    /// One of its configurations.
    pub fn config(&self, file: &str) -> Loaded<ConfigFile> {
        ConfigFile::open(self.source, file)
    }

    fn open(&self, stem: &str, config: &ConfigFile) -> Loaded<WeightFile<'_>> {
        WeightFile::open(self.source, stem, config.file(), &self.options)
    }

    fn open_text(&self, stem: &str, config: &ConfigFile) -> Loaded<WeightFile<'_>> {
        WeightFile::open(self.source, stem, config.file(), &self.options.of_text())
    }

    /// A text encoder, which `load` creates from its configuration and weights, and its tokenizer.
    pub fn text(
        &self,
        part: &TextPart,
        load: impl FnOnce(&ConfigFile, &Weights) -> Loaded<TextEncoder>,
    ) -> Loaded<(Tokenizer, TextEncoder)> {
        let config = ConfigFile::open(self.source, part.config)?;
        let weights = self.open_text(part.weights, &config)?;
        let text_encoder = load(&config, &weights.root().recorded(&self.record, part.name))?;
        weights.all_used(single_file::is_spare_in_text_encoder)?;
        self.in_file.borrow_mut().extend(weights.in_file());
        let (positions, words) = (text_encoder.positions(), text_encoder.vocabulary_size());
        Ok((Tokenizer::load(self.source, part.tokenizer, positions, words)?, text_encoder))
    }

    /// The UNet, and its configuration for the family's error messages.
    pub fn unet(&self) -> Loaded<(Unet, ConfigFile)> {
        let config = ConfigFile::open(self.source, UNET_CONFIG)?;
        let weights = self.open(UNET_WEIGHTS, &config)?;
        let unet = Unet::load(&config, &weights.root().recorded(&self.record, "unet"))?;
        weights.all_used(|_| false)?;
        self.in_file.borrow_mut().extend(weights.in_file());
        Ok((unet, config))
    }

    /// Any other part, which `load` creates from its weights; tensors that `is_spare` accepts may be left.
    pub fn part<T>(
        &self,
        name: &'static str,
        stem: &str,
        config: &ConfigFile,
        is_spare: impl Fn(&str) -> bool,
        load: impl FnOnce(&Weights) -> Loaded<T>,
    ) -> Loaded<T> {
        let weights = self.open(stem, config)?;
        let part = load(&weights.root().recorded(&self.record, name))?;
        weights.all_used(is_spare)?;
        self.in_file.borrow_mut().extend(weights.in_file());
        Ok(part)
    }

    /// The same in another dtype for a part that LoRA does not change.
    pub fn part_in<T>(
        &self,
        dtype: DType,
        stem: &str,
        config: &ConfigFile,
        is_spare: impl Fn(&str) -> bool,
        load: impl FnOnce(&Weights) -> Loaded<T>,
    ) -> Loaded<T> {
        let options = self.options.with_dtype(dtype);
        let weights = WeightFile::open(self.source, stem, config.file(), &options)?;
        let part = load(&weights.root())?;
        weights.all_used(is_spare)?;
        self.in_file.borrow_mut().extend(weights.in_file());
        Ok(part)
    }

    /// The weights that were left in files since the last call.
    pub fn in_file(&self) -> PartWeights {
        let (device, offload) = (self.options.device.clone(), self.options.offload);
        PartWeights { weights: self.in_file.take(), device, offload, is_loaded: Cell::new(false) }
    }

    /// The embeddings and the first `layers` layers of Qwen3, as the text encoder.
    pub fn qwen(&self, config: &ConfigFile, layers: usize) -> Loaded<Qwen> {
        let is_spare = |key: &str| qwen::is_spare(key, layers);
        let load = |weights: &Weights| Qwen::load(config, weights, layers);
        self.part(TEXT.name, TEXT.weights, config, is_spare, load)
    }

    /// The whole of Qwen3, as the text encoder.
    pub fn whole_qwen(&self, config: &ConfigFile) -> Loaded<Qwen> {
        let load = |weights: &Weights| Qwen::load_whole(config, weights);
        self.part(TEXT.name, TEXT.weights, config, qwen::is_spare_in_whole, load)
    }

    /// T5 with its tokenizer; prompts have `tokens` tokens.
    pub fn t5(&self, part: &TextPart, tokens: usize) -> Loaded<(SentenceTokenizer, T5)> {
        let config = self.config(part.config)?;
        // T5 overflows in f16.
        let dtype = if self.options.dtype == DType::F16 { DType::BF16 } else { self.options.dtype };
        let load = |weights: &Weights| T5::load(&config, weights);
        let t5 = self.part_in(dtype, part.weights, &config, t5::is_spare, load)?;
        Ok((t5_tokenizer(self.source, part, tokens)?, t5))
    }

    /// All loaded layers and norms, for LoRA.
    pub fn finish(self) -> Targets {
        self.record.finish()
    }
}

/// The tokenizer of T5; prompts have `tokens` tokens.
pub(super) fn t5_tokenizer(
    source: &ModelSource,
    part: &TextPart,
    tokens: usize,
) -> Loaded<SentenceTokenizer> {
    let words = t5::vocabulary_size(&ConfigFile::open(source, part.config)?)?;
    SentenceTokenizer::load(source, part.tokenizer, words, tokens)
}

/// The weights of a part that are loaded when it is used.
pub(super) struct PartWeights {
    weights: Vec<Weight>,
    device: Device,
    offload: Option<Offload>,
    is_loaded: Cell<bool>,
}

impl PartWeights {
    /// Keeps them in memory, or those of the first that fit if they are offloaded; does nothing if they are.
    pub fn load(&self) -> Result<()> {
        match self.is_loaded() {
            true => Ok(()),
            false => self.load_within(self.room()),
        }
    }

    /// Keeps the first ones that take no more than `room` bytes.
    pub fn load_within(&self, room: u64) -> Result<()> {
        load_all(&self.first_within(room).map(|(weight, _)| weight).collect::<Vec<_>>())?;
        self.is_loaded.set(true);
        Ok(())
    }

    /// The bytes that [`PartWeights::load`] would take.
    pub fn size_to_load(&self) -> u64 {
        if self.is_loaded() { 0 } else { self.first_within(self.room()).map(|(_, size)| size).sum() }
    }

    /// The bytes of those that are not in memory.
    #[cfg(test)]
    pub fn size_outside(&self) -> u64 {
        self.weights.iter().map(Weight::size_to_load).sum()
    }

    /// The bytes that they may take.
    fn room(&self) -> u64 {
        let within =
            |offload: &Offload| self.device.free_memory().unwrap_or(0).saturating_sub(offload.reserve);
        self.offload.as_ref().map_or(u64::MAX, within)
    }

    /// The first ones that take no more than `room` bytes, each with its bytes.
    fn first_within(&self, room: u64) -> impl Iterator<Item = (&Weight, u64)> {
        let sized = self.weights.iter().map(|weight| (weight, weight.size_to_load()));
        sized.scan(room, |room, (weight, size)| {
            *room = room.checked_sub(size)?;
            Some((weight, size))
        })
    }

    /// Drops them from memory.
    pub fn release(&self) {
        self.is_loaded.set(false);
        self.weights.iter().for_each(Weight::release);
    }

    pub fn is_loaded(&self) -> bool {
        self.is_loaded.get()
    }
}

/// Loads the autoencoder, in f32 if f16 was requested, because it overflows in f16 unless its configuration says that it does
/// not (`force_upcast`).
pub(super) fn load_vae_in_range(
    source: &ModelSource,
    options: &LoadOptions,
) -> std::result::Result<Vae, ModelError> {
    load_vae(source, options, |config| match options.dtype {
        DType::F16 if needs_f32(config)? => Ok(DType::F32),
        dtype => Ok(dtype),
    })
}

/// An autoencoder in the dtype that `dtype` returns for its configuration.
pub(super) fn load_vae(
    source: &ModelSource,
    options: &LoadOptions,
    dtype: impl FnOnce(&ConfigFile) -> Loaded<DType>,
) -> Loaded<Vae> {
    let config = ConfigFile::open(source, VAE_CONFIG)?;
    let options = options.with_dtype(dtype(&config)?);
    let weights = WeightFile::open(source, VAE_WEIGHTS, config.file(), &options)?;
    let vae = Vae::load(&config, &weights.root())?;
    weights.all_used(|key| single_file::is_spare_in_vae(key) || vae.is_spare(key))?;
    Ok(vae)
}

/// Replaces a model's autoencoder by another one with the same number of latent channels.
pub(super) fn replace_vae(own: &mut Vae, other: Vae, source: &ModelSource) -> Loaded<()> {
    if other.latent_channels != own.latent_channels {
        let supported = format!("{}, like the model's own autoencoder", own.latent_channels);
        return Err(ConfigFile::open(source, VAE_CONFIG)?.refuse("latent_channels", supported));
    }
    *own = other;
    Ok(())
}

/// What other inputs than latents are, by their channels, in models with four channels of latents.
const OTHER_INPUTS: [(usize, &str); 3] = [
    (5, "5 is that of models that take a depth map"),
    (7, "7 is that of the x4 upscaler"),
    (8, "8 is that of InstructPix2Pix and other models that take a second picture"),
];

/// Refuses an autoencoder whose latents are shifted, which the pipelines of Stable Diffusion would not do.
pub(super) fn check_shift(vae: &ConfigFile) -> Loaded<()> {
    vae.only("shift_factor", &[serde_json::json!(0.0)])
}

/// Refuses a UNet whose input or prediction does not match the autoencoder's latents.
pub(super) fn check_channels(config: &ConfigFile, latents: usize) -> Loaded<()> {
    if config.count("out_channels", Some(4))? != latents {
        let supported = format!("{latents}, the autoencoder's latent_channels");
        return Err(config.refuse("out_channels", supported));
    }
    let (channels, inpainting) = (unet::in_channels(config)?, inpainting_channels(latents));
    if channels == latents || channels == inpainting {
        return Ok(());
    }
    let mut supported =
        format!("{latents}, the autoencoder's latent_channels, or {inpainting} for inpainting");
    if let Some((_, other)) = OTHER_INPUTS.iter().find(|(other, _)| *other == channels && latents == 4) {
        supported = format!("{supported}; {other}");
    }
    Err(config.refuse("in_channels", supported))
}

/// Whether a UNet's input includes a mask and the picture without the masked part.
pub(super) fn is_inpainting(unet: &Unet, vae: &Vae) -> bool {
    unet.in_channels == inpainting_channels(vae.latent_channels)
}

/// Why a ControlNet cannot be used with a UNet and its autoencoder.
pub(super) fn control_mismatch(controlnet: &ControlNet, unet: &Unet, vae: &Vae) -> Option<String> {
    let (own, factor) = (controlnet.factor(), vae.factor());
    let sizes = || format!("it takes {own} pixels for one of the latents, the model's autoencoder {factor}");
    controlnet.mismatch(&unet.widths, vae.latent_channels).or_else(|| (own != factor).then(sizes))
}

/// The UNet's predictions for the rows of a call, with the ControlNet that they follow.
pub(super) fn predict(
    unet: &Unet,
    latent_channels: usize,
    rows: &Rows,
    conditions: Conditions,
) -> Result<Predicted> {
    let guidance_scales = unet.embeds_guidance().then_some(&rows.guidance_scales[..]);
    let conditions = Conditions { guidance_scales, image: rows.image.as_ref(), ..conditions };
    let text = rows.sequences()?;
    let residuals = match &rows.control {
        Some(ControlRows { net, hints, scales }) => {
            // It does not see the additional input of an inpainting model.
            let latents = rows.latents.narrow(1, 0, latent_channels)?;
            let last = rows.depth.last();
            Some(net.forward(&latents, &rows.timesteps, &text, &conditions, (hints, scales), last)?)
        }
        None => None,
    };
    let conditions = Conditions { control: residuals.as_ref(), ..conditions };
    let (predicted, features) =
        unet.forward_to_depth(&rows.latents, &rows.timesteps, &text, &conditions, rows.depth)?;
    Ok(Predicted { rows: predicted, features })
}

/// The latents of pixels or their distribution, in f32.
pub(super) fn encode(vae: &Vae, pixels: &Tensor) -> Result<Posterior> {
    let (mean, logvar) = vae.encode(pixels)?;
    Ok(Posterior {
        mean: mean.to_dtype(DType::F32)?,
        logvar: logvar.map(|logvar| logvar.to_dtype(DType::F32)).transpose()?,
        scaling_factor: vae.scaling_factor,
        shift_factor: vae.shift_factor,
    })
}

/// The pixels of latents.
pub(super) fn decode(vae: &Vae, latents: &Tensor) -> Result<Tensor> {
    let latents = (latents / vae.scaling_factor)?;
    vae.decode(&if vae.shift_factor == 0.0 { latents } else { (latents + vae.shift_factor)? })
}
