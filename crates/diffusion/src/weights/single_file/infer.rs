//! Infers a model's configurations in diffusers' layout from the shapes in a checkpoint.
//!
//! What the shapes do not determine (heads, groups, the size of pictures, the schedule) is taken from the published
//! models of each kind, as in diffusers' `from_single_file`. A folder of configurations next to the file overrides it.

use super::names::Part;
use super::stated::Stated;
use crate::weights::header::Header;
use serde_json::{Map, Value, json};

/// The supported kinds of Stable Diffusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 1.x: CLIP's text encoder.
    Sd1,
    /// 2.x: OpenCLIP's. The shapes do not say whether the model predicts velocity; like diffusers, this assumes it does.
    Sd2,
    /// XL base: both.
    Xl,
}

pub(super) const UNET: &str = "model.diffusion_model.";
pub(super) const CLIP: &str = "cond_stage_model.transformer.";
pub(super) const OPEN_CLIP: &str = "cond_stage_model.model.";
pub(super) const XL_CLIP: &str = "conditioner.embedders.0.transformer.";
pub(super) const XL_OPEN_CLIP: &str = "conditioner.embedders.1.model.";

/// The width of the text that Stable Diffusion 2's UNet attends to; diffusers distinguishes 2 from 1 by it.
const SD2_TEXT_WIDTH: usize = 1024;

/// How many of OpenCLIP's layers Stable Diffusion 2 uses: all but the last.
const SD2_TEXT_LAYERS: usize = 23;

/// The kind of a checkpoint, or why it is not supported.
pub(super) fn kind(header: &Header) -> Result<Kind, String> {
    let any = |prefix: &str| header.keys().any(|key| key.starts_with(prefix));
    if header.shape(&format!("{UNET}input_blocks.0.0.weight")).is_none() {
        let looks_like = [
            ("lora_", "a LoRA; use it with `lora`"),
            ("lycoris_", "a LoRA; use it with `lora`"),
            ("control_model.", "a ControlNet; use it with `controlnet`"),
            ("controlnet_", "a ControlNet; use it with `controlnet`"),
            ("first_stage_model.", "an autoencoder; use it with `vae`"),
            ("encoder.down", "an autoencoder; use it with `vae`"),
            ("down_blocks.", "one part of a model in diffusers' layout; use the whole folder"),
            ("text_model.", "one part of a model in diffusers' layout; use the whole folder"),
            ("emb_params", "a textual inversion; use it with `embeddings`"),
            ("transformer_blocks.", "a transformer with diffusers' names; use the whole folder of its model"),
            (
                "single_transformer_blocks.",
                "a transformer with diffusers' names; use the whole folder of its model",
            ),
            ("model.diffusion_model.joint_blocks.", "a part or a relative of Stable Diffusion 3"),
            ("model.diffusion_model.double_blocks.", "a part or a relative of FLUX"),
            ("controlnet_blocks.", "a ControlNet; only those of Stable Diffusion 1, 2 and XL are supported"),
            ("double_blocks.", "a part or a relative of FLUX"),
            ("joint_blocks.", "a part or a relative of Stable Diffusion 3"),
            ("double_layers.", "AuraFlow"),
            ("head.modulation", "Wan"),
            ("net.blocks.", "a part or a relative of Anima"),
            ("double_stream_blocks.", "HiDream"),
            ("model.layers.", "a text encoder; it belongs beside a transformer, under its published name"),
            ("encoder.block.", "a text encoder; it belongs beside a transformer, under its published name"),
            ("clip_txt_mapper.", "Stable Cascade"),
            ("adaln_single.", "PixArt"),
            ("decoder.layers.", "a tiny autoencoder; use it with `vae`"),
        ];
        return Err(match looks_like.iter().find(|(prefix, _)| any(prefix)) {
            Some((_, what)) => format!("it looks like {what}"),
            None => format!("it has no tensor `{UNET}input_blocks.0.0.weight`"),
        });
    }
    if header.keys().any(|key| key.starts_with(UNET) && key.contains(".time_stack.")) {
        return Err("it looks like Stable Video Diffusion".to_owned());
    }
    if any("conditioner.embedders.0.model.") {
        return Err("it looks like the SDXL refiner, which cannot render pictures by itself".to_owned());
    }
    let schedule = |key: &str, model: &str| {
        format!("it looks like {model}, whose noise schedule (EDM, its tensor `{key}`) is not supported")
    };
    if let Some(key) = ["edm_mean", "edm_std"].into_iter().find(|key| header.contains_key(*key)) {
        return Err(schedule(key, "Playground 2.5"));
    }
    if let Some(key) = header.keys().find(|key| key.starts_with("edm_vpred.")) {
        return Err(schedule(key, "CosXL"));
    }
    if any(XL_OPEN_CLIP) {
        return Ok(Kind::Xl);
    }
    let text_width = header
        .iter()
        .find(|(key, _)| key.starts_with(UNET) && key.ends_with(".attn2.to_k.weight"))
        .and_then(|(_, tensor)| tensor.shape.get(1));
    match any(OPEN_CLIP) || text_width == Some(&SD2_TEXT_WIDTH) {
        true => Ok(Kind::Sd2),
        false => Ok(Kind::Sd1),
    }
}

/// The UNet in the file.
pub(super) fn unet_part(header: &Header) -> Part {
    let key = |i: usize| format!("{UNET}input_blocks.{i}.0.op.weight");
    let blocks = count(header, &format!("{UNET}input_blocks."));
    // The downsampler follows a level's last layer; a UNet with one level has none.
    let layers = (1..blocks).find(|&i| header.shape(&key(i)).is_some()).unwrap_or(blocks).saturating_sub(1);
    Part::Unet { prefix: UNET.to_owned(), layers }
}

/// The autoencoder in a checkpoint, or in its own file, which may lack the prefix.
pub(super) fn vae_part(header: &Header) -> Part {
    let prefix = ["first_stage_model.", "vae."]
        .into_iter()
        .find(|prefix| header.keys().any(|key| key.starts_with(prefix)))
        .unwrap_or_default()
        .to_owned();
    let levels = count(header, &format!("{prefix}decoder.up."));
    Part::Vae { prefix, levels }
}

/// The autoencoder of Qwen-Image below `prefix`; `None` if there is none.
pub(super) fn qwen_image_vae_part(header: &Header, prefix: &str) -> Option<Part> {
    let has = |rest: &str| header.contains_key(&format!("{prefix}{rest}"));
    if !has("decoder.upsamples.0.residual.0.gamma") || !has("encoder.downsamples.0.residual.0.gamma") {
        return None;
    }
    let blocks =
        (0..usize::from(u8::MAX)).take_while(|i| has(&format!("encoder.downsamples.{i}.residual.0.gamma")));
    Some(Part::QwenImageVae { prefix: prefix.to_owned(), layers: blocks.count() })
}

/// The text encoders in the file.
pub(super) fn text_parts(header: &Header, kind: Kind) -> Vec<Part> {
    let open_clip = |prefix: &str, most: usize| Part::OpenClip {
        prefix: prefix.to_owned(),
        layers: count(header, &format!("{prefix}transformer.resblocks.")).min(most),
    };
    let clip = |prefix: &str| Part::Clip { prefix: prefix.to_owned() };
    match kind {
        Kind::Xl => vec![clip(XL_CLIP), open_clip(XL_OPEN_CLIP, usize::MAX)],
        Kind::Sd2 if header.keys().any(|key| key.starts_with(OPEN_CLIP)) => {
            vec![open_clip(OPEN_CLIP, SD2_TEXT_LAYERS)]
        }
        Kind::Sd1 | Kind::Sd2 => vec![clip(CLIP)],
    }
}

/// `unet/config.json`.
pub(super) fn unet(header: &Header, kind: Kind, part: &Part, stated: &Stated) -> Value {
    let layers = if let Part::Unet { layers, .. } = part { *layers } else { 1 };
    let input = |i: usize, rest: &str| format!("{UNET}input_blocks.{i}.{rest}");
    let output = |i: usize, rest: &str| format!("{UNET}output_blocks.{i}.{rest}");
    let levels = (count(header, &format!("{UNET}input_blocks.")) / (layers + 1)).max(1);
    let first = |level: usize| 1 + level * (layers + 1);
    let widths: Vec<usize> = (0..levels)
        .filter_map(|level| header.length(&input(first(level), "0.out_layers.3.weight"), 0))
        .collect();
    let depth = |prefix: String| count(header, &format!("{prefix}transformer_blocks."));
    let down: Vec<usize> = (0..levels).map(|level| depth(input(first(level), "1."))).collect();
    let up: Vec<usize> = (0..levels).map(|level| depth(output(level * (layers + 1), "1."))).collect();
    let kinds = |depths: &[usize], attends: &str, plain: &str| -> Vec<String> {
        depths.iter().map(|&depth| if depth > 0 { attends } else { plain }.to_owned()).collect()
    };
    // Levels without attention get the depth of their up block, or 1; it is not used.
    let depths: Vec<usize> =
        (0..levels).map(|level| down[level].max(up[levels - 1 - level]).max(1)).collect();
    // The first transformer of the file; models with fewer layers have none in the middle.
    let attention = header
        .keys()
        .filter(|key| key.starts_with(UNET))
        .find_map(|key| key.strip_suffix("transformer_blocks.0.attn2.to_k.weight"))
        .unwrap_or_default();
    let heads = match kind {
        Kind::Sd1 => json!(8),
        Kind::Sd2 | Kind::Xl => json!(widths.iter().map(|width| (width / 64).max(1)).collect::<Vec<_>>()),
    };
    let mut config = json!({
        "_class_name": "UNet2DConditionModel",
        "in_channels": header.length(&input(0, "0.weight"), 1),
        "out_channels": header.length(&format!("{UNET}out.2.weight"), 0),
        "block_out_channels": widths,
        "layers_per_block": layers,
        "down_block_types": kinds(&down, "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": kinds(&up, "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": depths,
        "cross_attention_dim": header.length(&format!("{attention}transformer_blocks.0.attn2.to_k.weight"), 1),
        "use_linear_projection": header.shape(&format!("{attention}proj_in.weight")).map(|shape| shape.len() == 2),
        "attention_head_dim": heads,
        "sample_size": match kind {
            Kind::Sd1 => 64,
            Kind::Sd2 if stated.is_small => 64,
            Kind::Sd2 => 96,
            Kind::Xl => 128,
        },
    });
    // Written only where they are unusual, so that other configurations stay the same.
    let down = (0..levels).map(|level| layer_depths(layers, |j| depth(input(first(level) + j, "1."))));
    let up =
        (0..levels).map(|level| layer_depths(layers + 1, |j| depth(output(level * (layers + 1) + j, "1."))));
    let (down, up) = (down.collect::<Vec<_>>(), up.collect::<Vec<_>>());
    let is_usual =
        |of_layers: &[usize], level: usize| of_layers.iter().all(|&it| it == 0 || it == depths[level]);
    if !(0..levels).all(|level| is_usual(&down[level], level) && is_usual(&up[levels - 1 - level], level)) {
        config["transformer_layers_per_block"] = json!(down);
        config["reverse_transformer_layers_per_block"] = json!(up);
    }
    if header.shape(&format!("{UNET}middle_block.1.proj_in.weight")).is_none() {
        let any = header.keys().any(|key| key.starts_with(&format!("{UNET}middle_block.")));
        config["mid_block_type"] = if any { json!("UNetMidBlock2D") } else { Value::Null };
    }
    if let Some(width) = header.length(&format!("{UNET}time_embed.cond_proj.weight"), 1) {
        config["time_cond_proj_dim"] = json!(width);
    }
    if kind == Kind::Xl {
        config["addition_embed_type"] = json!("text_time");
        config["addition_time_embed_dim"] = json!(256);
        config["projection_class_embeddings_input_dim"] =
            json!(header.length(&format!("{UNET}label_emb.0.0.weight"), 1));
    }
    config
}

/// The depth of the transformer after each residual block of a level; 1 for all, unused, if they have none.
fn layer_depths(layers: usize, depth: impl Fn(usize) -> usize) -> Vec<usize> {
    let depths: Vec<usize> = (0..layers).map(depth).collect();
    if depths.iter().all(|&depth| depth == 0) { vec![1; layers] } else { depths }
}

/// `vae/config.json`.
pub(super) fn vae(header: &Header, kind: Kind, part: &Part) -> Value {
    let (prefix, levels) =
        if let Part::Vae { prefix, levels } = part { (prefix.as_str(), *levels) } else { ("", 1) };
    let scaling_factor = if kind == Kind::Xl { 0.13025 } else { 0.18215 };
    if levels == 0 {
        // The published models' shape, for a separate autoencoder.
        return json!({
            "_class_name": "AutoencoderKL",
            "block_out_channels": [128, 256, 512, 512],
            "down_block_types": vec!["DownEncoderBlock2D"; 4],
            "up_block_types": vec!["UpDecoderBlock2D"; 4],
            "layers_per_block": 2,
            "scaling_factor": scaling_factor,
        });
    }
    let key = |rest: &str| format!("{prefix}{rest}");
    let width = |level: usize| header.length(&key(&format!("encoder.down.{level}.block.0.conv1.weight")), 0);
    json!({
        "_class_name": "AutoencoderKL",
        "block_out_channels": (0..levels).filter_map(width).collect::<Vec<_>>(),
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "layers_per_block": count(header, &key("encoder.down.0.block.")),
        "latent_channels": header.length(&key("decoder.conv_in.weight"), 1),
        "use_quant_conv": header.shape(&key("quant_conv.weight")).is_some(),
        "use_post_quant_conv": header.shape(&key("post_quant_conv.weight")).is_some(),
        "scaling_factor": scaling_factor,
    })
}

/// The autoencoders of models that predict flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlowVae {
    /// FLUX.1's, which Z-Image shares.
    Flux1,
    StableDiffusion3,
    Flux2,
    /// That of Anima, too.
    QwenImage,
}

/// `vae/config.json` of such an autoencoder, in a file of its own or in a checkpoint.
pub(super) fn flow_vae(header: &Header, part: Option<&Part>, kind: FlowVae) -> Value {
    let published = Part::Vae { prefix: String::new(), levels: 0 };
    let part = part.unwrap_or(&published);
    let mut config = vae(header, Kind::Sd1, part);
    config["latent_channels"] = json!(header.length(&format!("{}decoder.conv_in.weight", part.prefix()), 1));
    for conv in ["quant_conv", "post_quant_conv"] {
        let keys = part.place(&format!("{conv}.weight")).keys;
        config[format!("use_{conv}")] = json!(keys.iter().any(|key| header.contains_key(key)));
    }
    let (scaling_factor, shift_factor) = match kind {
        FlowVae::Flux1 => (0.3611, 0.1159),
        FlowVae::StableDiffusion3 => (1.5305, 0.0609),
        FlowVae::Flux2 => {
            config["_class_name"] = json!("AutoencoderKLFlux2");
            config["batch_norm_eps"] = json!(1e-4);
            config["patch_size"] = json!([2, 2]);
            return config;
        }
        FlowVae::QwenImage => return qwen_image_vae(header, part),
    };
    config["scaling_factor"] = json!(scaling_factor);
    config["shift_factor"] = json!(shift_factor);
    config
}

/// `vae/config.json` of Qwen-Image's; that of the published one if the file has diffusers' names.
fn qwen_image_vae(header: &Header, part: &Part) -> Value {
    let mut config = json!({"_class_name": "AutoencoderKLQwenImage"});
    let Part::QwenImageVae { prefix, layers } = part else { return config };
    let length = |rest: &str| header.length(&format!("{prefix}{rest}"), 0).unwrap_or(0);
    let base = length("encoder.conv1.weight");
    // A convolution follows the residual blocks of every level but the last.
    let levels = count(header, &format!("{prefix}encoder.downsamples.")).div_ceil(layers + 1);
    let block = |number: usize| format!("encoder.downsamples.{number}");
    let factor =
        |level: usize| length(&format!("{}.residual.2.weight", block(level * (layers + 1)))) / base.max(1);
    let halves_frames = |level: usize| {
        let convolution = block(level * (layers + 1) + layers);
        header.contains_key(&format!("{prefix}{convolution}.time_conv.weight"))
    };
    config["base_dim"] = json!(base);
    config["dim_mult"] = json!((0..levels).map(factor).collect::<Vec<_>>());
    config["num_res_blocks"] = json!(layers);
    config["temperal_downsample"] =
        json!((0..levels.saturating_sub(1)).map(halves_frames).collect::<Vec<_>>());
    config["z_dim"] = json!(length("conv2.weight"));
    config
}

/// The name of a tensor of every text encoder, if the file lacks it and therefore the text encoder.
pub(super) fn missing_text_encoder(header: &Header, part: &Part) -> Option<String> {
    let names = ["text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight"];
    let mut keys = names.into_iter().flat_map(|name| part.place(name).keys);
    let any = keys.clone().any(|key| header.contains_key(&key));
    if any { None } else { keys.next() }
}

/// `text_encoder/config.json` or `text_encoder_2/config.json`.
pub(super) fn text_encoder(header: &Header, part: &Part) -> Value {
    let shape = |name: &str, axis: usize| {
        part.place(name).keys.iter().find_map(|key| header.length(key, axis)).or_else(|| {
            // Some files omit the first part of transformers' names.
            let name = name.strip_prefix("text_model.")?;
            part.place(name).keys.iter().find_map(|key| header.length(key, axis))
        })
    };
    let words = "text_model.embeddings.token_embedding.weight";
    let width = shape(words, 1).unwrap_or(0);
    let (layers, activation) = match part {
        Part::OpenClip { layers, .. } => (*layers, "gelu"),
        _ => {
            let below = |middle: &str| count(header, &format!("{}{middle}encoder.layers.", part.prefix()));
            (below("text_model.").max(below("")), "quick_gelu")
        }
    };
    json!({
        "architectures": ["CLIPTextModel"],
        "hidden_size": width,
        "vocab_size": shape(words, 0),
        "max_position_embeddings": shape("text_model.embeddings.position_embedding.weight", 0),
        "intermediate_size": shape("text_model.encoder.layers.0.mlp.fc1.weight", 0),
        "num_hidden_layers": layers,
        // The heads of CLIP and OpenCLIP have 64 channels.
        "num_attention_heads": (width / 64).max(1),
        "hidden_act": activation,
        // Only OpenCLIP has it, transposed: outputs last.
        "projection_dim": shape("text_projection.weight", 1),
    })
}

/// `scheduler/scheduler_config.json`: those of `stable-diffusion-v1-5`, `stable-diffusion-2-1` and
/// `stable-diffusion-xl-base-1.0`, which diffusers uses for every checkpoint of these kinds, with what the file states.
pub(super) fn scheduler(kind: Kind, stated: &Stated) -> Value {
    let mut config = json!({
        "_class_name": "PNDMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "clip_sample": false,
        "set_alpha_to_one": false,
        "skip_prk_steps": true,
        "steps_offset": 1,
    });
    match kind {
        Kind::Sd1 => {}
        Kind::Sd2 => {
            config["_class_name"] = json!("DDIMScheduler");
            config["prediction_type"] = json!("v_prediction");
        }
        Kind::Xl => {
            config["_class_name"] = json!("EulerDiscreteScheduler");
            config["prediction_type"] = json!("epsilon");
            config["timestep_spacing"] = json!("leading");
            config["use_karras_sigmas"] = json!(false);
        }
    }
    // What is stated and assumed alike is not written, so that the configuration stays the same.
    let assumed = config.get("prediction_type").and_then(Value::as_str).unwrap_or("epsilon");
    if let Some(statement) = stated.predictions.first().filter(|it| it.value.as_str() != assumed) {
        config["prediction_type"] = json!(statement.value);
    }
    if stated.zero_snr.first().is_some_and(|statement| statement.value) {
        config["rescale_betas_zero_snr"] = json!(true);
    }
    config
}

/// `special_tokens_map.json` of a tokenizer: CLIP's tokens, and the padding.
pub(super) fn special_tokens(padding: &str) -> Value {
    let mut map = Map::new();
    let tokens =
        [("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];
    for (key, token) in tokens.into_iter().chain([("pad_token", padding)]) {
        map.insert(key.to_owned(), json!(token));
    }
    Value::Object(map)
}

/// One more than the largest number (up to 255) that follows `prefix` in any name; 0 if there is none.
pub(super) fn count(header: &Header, prefix: &str) -> usize {
    let number = |key: &String| key.strip_prefix(prefix)?.split('.').next()?.parse::<u8>().ok();
    header.keys().filter_map(number).max().map_or(0, |largest| usize::from(largest) + 1)
}
