//! Models that predict flow with a transformer: what their families have in common.
//!
//! A family says what distinguishes it with [`FlowFamily`]: its text encoders, its transformer, which configurations match.
//! Not here: the networks.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::error::RenderError;
use crate::families::family::{Family, Predicted, Rows};
use crate::families::files::{TRANSFORMER_WEIGHTS, TextPart, VAE_CONFIG, VAE_WEIGHTS};
use crate::families::parts::{self, Loader, PartWeights};
use crate::families::scheduler;
use crate::image::posterior::Posterior;
use crate::models::vae::{self, Vae};
use crate::schedulers::{FlowConfig, FlowRule, Sampling, ScheduleError, Trajectory, flow_trajectory};
use crate::text::conditioning::{Conditioning, Normalise};
use crate::text::encode::{Adapted, PromptCache, PromptEncoder};
use crate::weights::config::ConfigFile;
use crate::weights::dtypes::check_dtypes;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::{LoraError, LoraMemory};
use crate::weights::source::ModelSource;
use crate::weights::tensors::Weights;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Digest, Lora, ModelCard, Settings};

pub(super) type Loaded<T> = std::result::Result<T, ModelError>;

/// A text encoder, and which of its tensors may be left unused.
pub(super) type ReadPart = (&'static TextPart, fn(&str) -> bool);

/// What distinguishes a family from the others.
pub(super) trait FlowFamily: Sized {
    /// Its text encoders with their tokenizers.
    type Text: PromptEncoder;
    type Transformer;

    const KIND: Kind;
    /// How its pipeline calls its scheduler.
    const RULE: FlowRule;
    /// Pixels of the autoencoder's latents in one of the sampler's, in each direction.
    const PACKED: usize = 1;
    /// diffusers' classes of autoencoders whose latents it has.
    const VAES: &'static [&'static str] = &[vae::KL, vae::TINY];
    /// What it makes of guided predictions, if anything.
    const NORMALISE: Option<Normalise> = None;

    /// Pixels of the autoencoder's latents in a token of the transformer, in each direction.
    fn patch(file: &ConfigFile) -> Loaded<usize>;

    /// The size of pictures that its pipeline makes by default; a latent pixel has `factor` pixels.
    fn size(file: &ConfigFile, factor: usize) -> Loaded<usize>;

    /// The most tokens of a picture in a direction, if it has positions for so many only.
    fn positions(_: &ConfigFile) -> Loaded<Option<usize>> {
        Ok(None)
    }

    /// The text encoders that a model has.
    fn texts(source: &ModelSource) -> Vec<ReadPart>;

    /// Refuses a transformer that does not match the text encoders and the autoencoder, by their configurations.
    fn check(source: &ModelSource, file: &ConfigFile, vae: &vae::Shape) -> Loaded<()>;

    fn load_text(loader: &Loader) -> Loaded<Self::Text>;

    fn load_transformer(file: &ConfigFile, weights: &Weights) -> Loaded<Self::Transformer>;

    /// Whether the model is distilled, so that a picture has one row: guidance has no effect, or its scale is an input.
    fn is_distilled(_: &ModelSource) -> Loaded<bool> {
        Ok(false)
    }

    /// The defaults of `steps` and `guidance_scale` that its files state, in place of those of the settings table.
    fn defaults(_: &ModelSource) -> Loaded<(Option<u32>, Option<f64>)> {
        Ok((None, None))
    }

    /// The rows of [`Family::predict`].
    fn predict(transformer: &Self::Transformer, rows: &Rows) -> Result<Tensor>;

    /// See [`Family::encode`].
    fn encode(vae: &Vae, pixels: &Tensor) -> Result<Posterior> {
        parts::encode(vae, pixels)
    }

    /// See [`Family::decode`].
    fn decode(vae: &Vae, latents: &Tensor) -> Result<Tensor> {
        parts::decode(vae, latents)
    }
}

/// Refuses a transformer whose channels are not those of the autoencoder's latents.
pub(super) fn check_channels(file: &ConfigFile, channels: usize, vae: &vae::Shape) -> Loaded<()> {
    match vae.latent_channels {
        own if own == channels => Ok(()),
        own => Err(file.refuse("in_channels", format!("{own}, the autoencoder's latent_channels"))),
    }
}

/// Refuses a transformer whose channels are not those of the autoencoder's latents in squares of 2 x 2 pixels.
pub(super) fn check_packed(file: &ConfigFile, channels: usize, vae: &vae::Shape) -> Loaded<()> {
    match 4 * vae.latent_channels {
        packed if packed == channels => Ok(()),
        packed => {
            Err(file.refuse("in_channels", format!("{packed}, four times the autoencoder's latent_channels")))
        }
    }
}

/// A loaded model of a family.
///
/// The weights of its linear layers are in memory while they are used: those of the text encoders until the first call of the
/// transformer, then those of the transformer. Prompts that come later are encoded by layers that are read one after the other, and
/// so are those weights that are offloaded, for each call.
pub(crate) struct FlowModel<F: FlowFamily> {
    pub(super) text: F::Text,
    pub(super) text_weights: PartWeights,
    pub(super) transformer: F::Transformer,
    pub(super) transformer_weights: PartWeights,
    pub(super) vae: Vae,
    patch: usize,
    is_distilled: bool,
    scheduler_config: FlowConfig,
    adapters: Adapters,
    prompts: PromptCache,
}

impl<F: FlowFamily> FlowModel<F> {
    /// Loads every part of a model.
    pub fn load_with(source: &ModelSource, options: &LoadOptions) -> Loaded<FlowModel<F>> {
        let scheduler_config = scheduler::read_flow(source)?.config;
        let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        F::check(source, &file, &read_vae::<F>(source)?)?;
        let loader = Loader::new(source, &options.staying_in_file());
        let text = F::load_text(&loader)?;
        let text_weights = loader.in_file();
        let vae = load_vae::<F>(source, options)?;
        let load = |weights: &Weights| F::load_transformer(&file, weights);
        let transformer = loader.part("transformer", TRANSFORMER_WEIGHTS, &file, |_| false, load)?;
        Ok(FlowModel {
            text,
            text_weights,
            transformer,
            transformer_weights: loader.in_file(),
            vae,
            patch: F::patch(&file)?,
            is_distilled: F::is_distilled(source)?,
            scheduler_config,
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }

    /// The model's card; see [`crate::families::card`].
    pub fn card(source: &ModelSource, fingerprint: impl FnOnce() -> Loaded<Digest>) -> Loaded<ModelCard> {
        let vae = read_vae::<F>(source)?;
        let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        F::check(source, &file, &vae)?;
        let scheduler = scheduler::read_flow(source)?;
        for weights in [TRANSFORMER_WEIGHTS, VAE_WEIGHTS] {
            check_dtypes(source, weights, |_| false)?;
        }
        for (part, is_spare) in F::texts(source) {
            check_dtypes(source, part.weights, is_spare)?;
        }
        let (size, multiple_of) = (F::size(&file, vae.factor)?, vae.factor * F::patch(&file)?);
        let card = scheduler.card(F::KIND, size as u32, multiple_of as u32, fingerprint()?);
        let (steps, guidance_scale) = F::defaults(source)?;
        Ok(ModelCard { guidance_embedding: F::is_distilled(source)?, steps, guidance_scale, ..card })
    }

    /// Whether a model can compute the steps of a picture with these settings, from its configuration alone.
    pub fn check_sampling(source: &ModelSource, settings: &Settings) -> std::result::Result<(), RenderError> {
        let config = scheduler::read_flow(source)?.config;
        let transformer = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        let patch = F::patch(&transformer)?;
        let factor = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?.factor;
        trajectory::<F>(&config, &Sampling::from(settings), factor * patch)?;
        if let Some(positions) = F::positions(&transformer)? {
            let largest = (positions * patch * factor) as u32;
            for (name, edge) in [("width", settings.width), ("height", settings.height)] {
                if edge > largest {
                    return Err(RenderError::TooLarge { name, edge, largest });
                }
            }
        }
        Ok(())
    }
}

/// The trajectory of a picture whose tokens are `edge` pixels high and wide.
fn trajectory<F: FlowFamily>(
    config: &FlowConfig,
    sampling: &Sampling,
    edge: usize,
) -> std::result::Result<Trajectory, ScheduleError> {
    flow_trajectory(config, F::RULE, sampling, sampling.tokens(edge))
}

/// What the autoencoder's configuration tells; refuses one of another kind.
fn read_vae<F: FlowFamily>(source: &ModelSource) -> Loaded<vae::Shape> {
    let config = ConfigFile::open(source, VAE_CONFIG)?;
    let shape = vae::Shape::read(&config)?;
    if F::VAES.contains(&vae::class(&config)) {
        return Ok(shape);
    }
    let supported: Vec<String> = F::VAES.iter().map(|class| format!("\"{class}\"")).collect();
    Err(config.refuse("_class_name", supported.join(" or ")))
}

fn load_vae<F: FlowFamily>(source: &ModelSource, options: &LoadOptions) -> Loaded<Vae> {
    read_vae::<F>(source)?;
    parts::load_vae_in_range(source, options)
}

impl<F: FlowFamily> Family for FlowModel<F> {
    fn factor(&self) -> usize {
        self.vae.factor() * F::PACKED
    }

    fn multiple_of(&self) -> usize {
        self.vae.factor() * self.patch
    }

    fn latent_channels(&self) -> usize {
        self.vae.latent_channels * F::PACKED * F::PACKED
    }

    fn is_inpainting(&self) -> bool {
        false
    }

    /// A distilled model need not take the scale, but has no use for another row either.
    fn embeds_guidance(&self) -> bool {
        self.is_distilled
    }

    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError> {
        trajectory::<F>(&self.scheduler_config, sampling, self.multiple_of())
    }

    fn set_loras(&mut self, loras: &[Lora]) -> std::result::Result<(), LoraError> {
        self.adapters.set_loras(loras)
    }

    fn lora_memory(&self, loras: &[Lora]) -> LoraMemory {
        self.adapters.memory(loras)
    }

    fn conditioning(
        &mut self,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> std::result::Result<Conditioning, RenderError> {
        // One prompt more, while the transformer is in memory, reads the text encoder layer by layer.
        if !self.transformer_weights.is_loaded() {
            self.text_weights.load()?;
        }
        let adapted = Adapted { loras: self.adapters.loras_of_text(), inversions: Vec::new() };
        Ok(self.prompts.conditioning(&self.text, &adapted, settings, warnings)?.normalised(F::NORMALISE))
    }

    fn encode_ahead(&mut self, settings: &Settings) -> std::result::Result<bool, RenderError> {
        let adapted = Adapted { loras: self.adapters.loras_of_text(), inversions: Vec::new() };
        self.text_weights.load()?;
        self.prompts.add(&self.text, &adapted, settings)?;
        Ok(self.prompts.has_room())
    }

    fn size_to_load(&self) -> u64 {
        self.transformer_weights.size_to_load()
    }

    fn predict(&self, rows: &Rows) -> Result<Predicted> {
        self.text_weights.release();
        self.transformer_weights.load()?;
        Ok(Predicted { rows: F::predict(&self.transformer, rows)?, features: None })
    }

    fn encode(&self, pixels: &Tensor) -> Result<Posterior> {
        F::encode(&self.vae, pixels)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        F::decode(&self.vae, latents)
    }

    fn replace_vae(&mut self, source: &ModelSource, device: &Device, dtype: DType) -> Loaded<()> {
        let vae = load_vae::<F>(source, &LoadOptions::new(device, dtype))?;
        parts::replace_vae(&mut self.vae, vae, source)
    }
}
