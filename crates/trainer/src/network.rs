//! The model in training: the same operations for Stable Diffusion and SDXL.

use crate::error::TrainError;
use candle_core::{D, DType, Device, Result, Tensor};
use maquette_core::{MixedPrecision, PredictionType, Training};
use maquette_diffusion::{
    Conditions, EncodedPrompt, FamilyKind, Inversions, LoadOptions, LoraTargets, ModelSource,
    SchedulerConfig, Sdxl, StableDiffusion, TextEncoder, Tokenizer, Unet, Vae, family_kind,
};

/// A loaded model.
pub(crate) enum Network {
    StableDiffusion(Box<StableDiffusion>),
    Sdxl(Box<Sdxl>),
}

/// SDXL's sizes of a picture: height and width of the original, top and left of the crop, height and width of the target.
pub(crate) type Sizes = [f32; 6];

impl Network {
    pub fn load(
        source: &ModelSource,
        options: &LoadOptions,
        training: &Training,
    ) -> std::result::Result<Network, TrainError> {
        let refuse = |what| Err(TrainError::Kind { model: training.model.clone(), what });
        let network = match family_kind(source)? {
            FamilyKind::StableDiffusion => {
                Network::StableDiffusion(Box::new(StableDiffusion::load_with(source, options)?))
            }
            FamilyKind::Sdxl => Network::Sdxl(Box::new(Sdxl::load_with(source, options)?)),
            _ => return refuse("has a transformer in place of a UNet"),
        };
        let (unet, vae) = (network.unet(), network.vae());
        if unet.in_channels != vae.latent_channels {
            return refuse("is for inpainting");
        }
        if unet.embeds_guidance() {
            return refuse("is distilled and takes the guidance scale as an input");
        }
        if network.prediction() == PredictionType::Sample {
            return refuse("predicts the picture instead of noise or velocity");
        }
        Ok(network)
    }

    pub fn unet(&self) -> &Unet {
        match self {
            Network::StableDiffusion(model) => &model.unet,
            Network::Sdxl(model) => &model.unet,
        }
    }

    pub fn vae(&self) -> &Vae {
        match self {
            Network::StableDiffusion(model) => &model.vae,
            Network::Sdxl(model) => &model.vae,
        }
    }

    /// The layers that LoRA can change, by name.
    pub fn layers(&self) -> &LoraTargets {
        match self {
            Network::StableDiffusion(model) => model.layers(),
            Network::Sdxl(model) => model.layers(),
        }
    }

    pub fn schedule(&self) -> &SchedulerConfig {
        match self {
            Network::StableDiffusion(model) => &model.scheduler_config,
            Network::Sdxl(model) => &model.scheduler_config,
        }
    }

    /// What the UNet predicts.
    pub fn prediction(&self) -> PredictionType {
        self.schedule().prediction()
    }

    /// The text encoders with their tokenizers.
    pub fn texts(&self) -> Vec<(&Tokenizer, &TextEncoder)> {
        match self {
            Network::StableDiffusion(model) => vec![(&model.tokenizer, &model.text_encoder)],
            Network::Sdxl(model) => model.tokenizers.iter().zip(&model.text_encoders).collect(),
        }
    }

    /// Encodes a prompt, truncated if it is too long, as rendering does.
    pub fn encode(&self, prompt: &str, word: &Inversions) -> std::result::Result<EncodedPrompt, TrainError> {
        let mut sequences = Vec::new();
        let mut pooled = None;
        for (number, (tokenizer, encoder)) in self.texts().into_iter().enumerate() {
            let tokens = tokenizer.encode_with(prompt, word)?;
            let encoded = encoder.embed_with(&tokens.ids, word.vectors(number), 0)?;
            sequences.push(encoded.sequence);
            pooled = encoded.pooled;
        }
        Ok(EncodedPrompt { sequence: Tensor::cat(&sequences, D::Minus1)?, pooled })
    }

    /// The prediction for noised latents `[B, C, h, w]`, in the model's dtype.
    pub fn predict(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        prompts: &[EncodedPrompt],
        sizes: &[Sizes],
    ) -> Result<Tensor> {
        let sequences: Vec<&Tensor> = prompts.iter().map(|prompt| &prompt.sequence).collect();
        let text = Tensor::cat(&sequences, 0)?;
        let pooled: Vec<&Tensor> = prompts.iter().filter_map(|prompt| prompt.pooled.as_ref()).collect();
        let pooled = if pooled.is_empty() { None } else { Some(Tensor::cat(&pooled, 0)?) };
        let added = pooled.as_ref().map(|pooled| (pooled, sizes));
        let conditions = Conditions { added, ..Conditions::default() };
        self.unet().forward_with(latents, timesteps, &text, &conditions)
    }

    /// The device of its tensors.
    pub fn device(&self) -> Device {
        let any = self.layers().values().next();
        any.map_or(Device::Cpu, |layer| layer.weight.device().clone())
    }
}

/// The dtype of the model in training.
pub(crate) fn dtype(training: &Training) -> DType {
    match training.mixed_precision {
        MixedPrecision::No => DTYPE,
        MixedPrecision::Bf16 => DType::BF16,
    }
}

/// The dtype of what trains, and of the loss: half precision loses small changes of the weights.
pub(crate) const DTYPE: DType = DType::F32;
