//! The header of trained weights: what kohya's trainer writes (`ss_…`), and Stability's model specification
//! (`modelspec.…`). It has no dates, so that the same training gives the same file.

use crate::network::Network;
use maquette_core::{PredictionType, Training, TrainingLayers, TrainingMethod};
use serde_json::json;
use std::collections::BTreeMap;

/// The width of the text embeddings of Stable Diffusion 2.
const SD2_TEXT_WIDTH: usize = 1024;

/// The metadata of the weights after `step` steps.
pub(crate) fn metadata(training: &Training, network: &Network, step: u32) -> BTreeMap<String, String> {
    let is_xl = matches!(network, Network::Sdxl(_));
    let is_v2 = !is_xl && network.unet().text_width == SD2_TEXT_WIDTH;
    let is_v = network.prediction() == PredictionType::VPrediction;
    let (width, height) = training.resolution;
    let python = |flag: bool| if flag { "True" } else { "False" }.to_owned();
    let (base, architecture) = match (is_xl, is_v2) {
        (true, _) => ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base"),
        (false, true) => ("sd_v2", "stable-diffusion-v2-768-v"),
        (false, false) => ("sd_v1", "stable-diffusion-v1"),
    };
    let kind = match training.method {
        TrainingMethod::Lora | TrainingMethod::Dreambooth => "lora",
        TrainingMethod::TextualInversion => "textual-inversion",
    };
    let mut all = BTreeMap::new();
    let mut add = |key: &str, value: String| drop(all.insert(key.to_owned(), value));
    add("modelspec.sai_model_spec", "1.0.0".to_owned());
    add("modelspec.architecture", format!("{architecture}/{kind}"));
    add("modelspec.implementation", "diffusers".to_owned());
    add("modelspec.title", training.subject.clone());
    add("modelspec.trigger_phrase", training.word.clone());
    add("modelspec.resolution", format!("{width}x{height}"));
    add("modelspec.prediction_type", if is_v { "v" } else { "epsilon" }.to_owned());
    add("ss_base_model_version", base.to_owned());
    add("ss_sd_model_name", training.model.clone());
    add("ss_v2", python(is_v2));
    add("ss_steps", step.to_string());
    add("ss_max_train_steps", training.steps.to_string());
    add("ss_batch_size_per_device", training.batch_size.to_string());
    add("ss_num_train_images", training.images.len().to_string());
    add("ss_num_reg_images", if training.has_prior() { training.num_class_images } else { 0 }.to_string());
    add("ss_prior_loss_weight", training.prior_loss_weight.to_string());
    add("ss_learning_rate", training.learning_rate.to_string());
    add("ss_lr_scheduler", training.lr_scheduler.to_string());
    add("ss_lr_warmup_steps", training.lr_warmup_steps.to_string());
    add("ss_max_grad_norm", training.max_grad_norm.to_string());
    add("ss_min_snr_gamma", training.snr_gamma.to_string());
    add("ss_optimizer", format!("torch.optim.AdamW(weight_decay={})", training.weight_decay));
    add("ss_mixed_precision", "no".to_owned());
    add("ss_resolution", format!("({width}, {height})"));
    add("ss_seed", training.seed.to_string());
    let mut captions = serde_json::Map::new();
    for image in &training.images {
        let count = captions.get(&image.caption).and_then(serde_json::Value::as_u64).unwrap_or(0);
        captions.insert(image.caption.clone(), json!(count + 1));
    }
    add("ss_tag_frequency", json!({ training.subject.as_str(): captions }).to_string());
    if training.method == TrainingMethod::Lora {
        add("ss_network_module", "networks.lora".to_owned());
        add("ss_network_dim", training.rank.to_string());
        add("ss_network_alpha", training.alpha.to_string());
        add("ss_unet_lr", training.learning_rate.to_string());
        if training.train_text_encoder {
            add("ss_text_encoder_lr", training.text_learning_rate.to_string());
        }
        if training.layers == TrainingLayers::All {
            let of_convolutions = json!({ "conv_dim": training.rank, "conv_alpha": training.alpha });
            add("ss_network_args", of_convolutions.to_string());
        }
    }
    all
}
