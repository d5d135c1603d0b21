//! Finds the layer of a model for a module name in a LoRA.
//!
//! Names whose dots have become underscores are hard to parse. Instead, every layer's name is listed in all the forms
//! that LoRAs use, and the LoRA's name is looked up.

use super::adapter::PREFIX;
use super::ldm;
use crate::weights::lora::targets::Targets;
use crate::weights::original_names::{Original, Rows};
use std::collections::HashMap;

/// The names of a model's layers, by their names in LoRAs.
pub(super) struct Names<'a>(HashMap<String, Found<'a>>);

/// The layers that a module of a LoRA is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A layer or norm.
    One(&'a str),
    /// Layers that have rows of a module of the transformer's original code.
    Rows(Vec<(&'a str, Rows)>),
}

impl<'a> Names<'a> {
    pub(super) fn of(targets: &'a Targets) -> Names<'a> {
        let mut names: HashMap<String, Found> = HashMap::new();
        let blocks = ldm::Blocks::of(&targets.layers);
        let all = || targets.layers.keys().chain(targets.norms.keys());
        // Peft's names have no part; with two text encoders they would be ambiguous.
        let alone = !all().any(|name| name.starts_with("text_encoder_2."));
        let original = Original::of(all().filter_map(|name| name.strip_prefix("transformer.")));
        for own in all() {
            let module = own.strip_prefix("transformer.");
            let Some((name, rows)) = original.and_then(|original| original.name(module?)) else { continue };
            for alias in transformer_aliases(&name) {
                match (rows, names.get_mut(&flat(&alias))) {
                    (Rows::All, _) => _ = names.insert(flat(&alias), Found::One(own)),
                    (_, Some(Found::Rows(layers))) => layers.push((own, rows)),
                    _ => _ = names.insert(flat(&alias), Found::Rows(vec![(own, rows)])),
                }
            }
        }
        for name in all() {
            let Some((part, module)) = name.split_once('.') else { continue };
            for alias in aliases(part, module, &blocks) {
                names.insert(flat(&alias), Found::One(name));
            }
            if part == "text_encoder" && alone {
                names.insert(flat(module), Found::One(name));
                names.insert(flat(&format!("text_model.{module}")), Found::One(name));
            }
        }
        Names(names)
    }

    /// What is named `module` in a LoRA, or in the LoRA of a part.
    pub(super) fn find(&self, part: Option<&str>, module: &str) -> Option<&Found<'a>> {
        let module = module.replacen(PREFIX, "", 1).replace(".processor.", ".");
        let module = part.map_or(module.clone(), |part| format!("{part}.{module}"));
        self.0.get(&flat(&module))
    }
}

/// Dots and underscores are equivalent.
fn flat(name: &str) -> String {
    name.replace('.', "_")
}

/// A module of a transformer with the prefixes of diffusers, kohya's and LyCORIS' trainers, ComfyUI; and without one.
fn transformer_aliases(module: &str) -> Vec<String> {
    ["", "transformer.", "lora_unet_", "lora_transformer_", "lycoris_", "diffusion_model."]
        .map(|prefix| format!("{prefix}{module}"))
        .into()
}

/// A layer's names in LoRAs.
fn aliases(part: &str, module: &str, blocks: &ldm::Blocks) -> Vec<String> {
    let mut aliases = Vec::new();
    if part == "unet" {
        let mut modules = vec![module.to_owned()];
        // Attention processors had no number here.
        modules.extend(module.strip_suffix(".0").filter(|name| name.ends_with("to_out")).map(str::to_owned));
        // The oldest files have no prefix for the part.
        aliases.extend(modules.iter().cloned());
        modules.extend(blocks.name(module));
        for module in modules {
            // kohya's and LyCORIS' trainers, ComfyUI.
            for prefix in ["unet.", "lora_unet_", "lycoris_", "diffusion_model."] {
                aliases.push(format!("{prefix}{module}"));
            }
        }
    } else if part == "transformer" {
        aliases.extend(transformer_aliases(module));
        if let Some(stem) = module.strip_suffix(".0").filter(|name| name.ends_with("to_out")) {
            aliases.extend(transformer_aliases(stem));
        }
    } else if part == "text_conditioner" {
        aliases.push(format!("{part}.{module}"));
        // Anima's authors have it in the transformer.
        aliases.extend(transformer_aliases(&format!("llm_adapter.{module}")));
    } else {
        let mut modules = vec![module.to_owned()];
        // Qwen3 in diffusers' folders; trainers have it as a part of the model that generates text, or not.
        match module.strip_prefix("model.") {
            Some(inner) => modules.push(inner.to_owned()),
            None if module.starts_with("layers.") => modules.push(format!("model.{module}")),
            None => {}
        }
        // The first versions of diffusers named the projections as in the UNet.
        for (now, then) in
            [("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("out_proj", "to_out")]
        {
            modules.extend(module.strip_suffix(now).map(|stem| format!("{stem}{then}")));
        }
        // kohya's trainer, then ComfyUI, which calls the encoder of Stable Diffusion 2 `clip_h`.
        let prefixes: &[&str] = match part {
            "text_encoder" => &[
                "lora_te_",
                "lora_te1_",
                "text_encoders.clip_l.transformer.",
                "text_encoders.clip_h.transformer.",
                "text_encoders.qwen3_06b.transformer.",
                // kohya's converter of LoRAs of Anima.
                "text_encoder.qwen3.",
            ],
            _ => &["lora_te2_", "text_encoders.clip_g.transformer."],
        };
        for module in modules {
            for module in [format!("text_model.{module}"), module] {
                aliases.push(format!("{part}.{module}"));
                aliases.extend(prefixes.iter().map(|prefix| format!("{prefix}{module}")));
            }
        }
    }
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::lora::targets::{Layer, Layers};
    use candle_core::{DType, Device, Tensor};
    use maquette_kernels::Weight;

    #[test]
    fn names_of_all_trainers_lead_to_the_layers_of_a_transformer() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(maquette_kernels::reference(), zero, DType::F32);
        let layer = Layer { weight, bias: None, inputs: 1, outputs: 1, kernel: None, is_pointwise: false };
        let [to_out, to_q, last] = [
            "transformer.layers.3.attention.to_out.0",
            "transformer.noise_refiner.0.attention.to_q",
            "transformer.all_final_layer.2-1.linear",
        ];
        let layers: Layers = [to_out, to_q, last].map(|name| (name.to_owned(), layer.clone())).into();
        let targets = Targets { layers, ..Targets::default() };
        let names = Names::of(&targets);
        let check = |module: &str, expected| {
            assert_eq!(names.find(None, module), Some(&Found::One(expected)), "{module}");
        };
        check("transformer.layers.3.attention.to_out.0", to_out);
        check("diffusion_model.layers.3.attention.to_out.0", to_out);
        check("diffusion_model.layers.3.attention.out", to_out);
        check("lora_unet_layers_3_attention_to_out_0", to_out);
        check("base_model.model.layers.3.attention.to_out.0", to_out);
        check("lora_unet_noise_refiner_0_attention_to_q", to_q);
        check("lycoris_noise_refiner_0_attention_to_q", to_q);
        check("diffusion_model.final_layer.linear", last);
        assert_eq!(names.find(None, "transformer.layers.4.attention.to_q"), None);
    }

    #[test]
    fn names_of_all_trainers_lead_to_the_layers_of_anima() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(maquette_kernels::reference(), zero, DType::F32);
        let layer = Layer { weight, bias: None, inputs: 1, outputs: 1, kernel: None, is_pointwise: false };
        let all = [
            "transformer.transformer_blocks.3.attn2.to_out.0",
            "transformer.patch_embed.proj",
            "text_conditioner.blocks.1.self_attn.q_proj",
            "text_encoder.layers.2.mlp.up_proj",
        ];
        let [to_out, patches, conditioner, text] = all;
        let layers: Layers = all.map(|name| (name.to_owned(), layer.clone())).into();
        let targets = Targets { layers, ..Targets::default() };
        let names = Names::of(&targets);
        let check = |module: &str, expected| {
            assert_eq!(names.find(None, module), Some(&Found::One(expected)), "{module}");
        };
        check("transformer.transformer_blocks.3.attn2.to_out.0", to_out);
        check("diffusion_model.blocks.3.cross_attn.output_proj", to_out);
        check("lora_unet_blocks_3_cross_attn_output_proj", to_out);
        check("lycoris_blocks_3_cross_attn_output_proj", to_out);
        check("lora_unet_x_embedder_proj_1", patches);
        check("text_conditioner.blocks.1.self_attn.q_proj", conditioner);
        check("diffusion_model.llm_adapter.blocks.1.self_attn.q_proj", conditioner);
        check("lora_unet_llm_adapter_blocks_1_self_attn_q_proj", conditioner);
        check("text_encoder.layers.2.mlp.up_proj", text);
        check("lora_te_layers_2_mlp_up_proj", text);
        check("lora_te_model_layers_2_mlp_up_proj", text);
        check("text_encoder.qwen3.layers.2.mlp.up_proj", text);
        check("text_encoders.qwen3_06b.transformer.model.layers.2.mlp.up_proj", text);
        assert_eq!(names.find(None, "diffusion_model.blocks.3.self_attn.q_proj"), None);
    }

    #[test]
    fn names_of_all_trainers_lead_to_the_same_layer() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(maquette_kernels::reference(), zero, DType::F32);
        let layer = Layer { weight, bias: None, inputs: 1, outputs: 1, kernel: None, is_pointwise: false };
        let to_out = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0";
        let q_proj = "text_encoder.encoder.layers.0.self_attn.q_proj";
        let second = "text_encoder_2.encoder.layers.0.mlp.fc1";
        let mut layers: Layers = [to_out, q_proj, second].map(|name| (name.to_owned(), layer.clone())).into();
        for name in [
            "down_blocks.0.resnets.0.conv1",
            "down_blocks.0.downsamplers.0.conv",
            "down_blocks.1.resnets.0.conv1",
        ] {
            layers.insert(format!("unet.{name}"), layer.clone());
        }
        let targets = Targets { layers, ..Targets::default() };
        let names = Names::of(&targets);
        let check = |module: &str, expected| {
            assert_eq!(names.find(None, module), Some(&Found::One(expected)), "{module}");
        };
        check("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0", to_out);
        check("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0", to_out);
        check("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_out", to_out);
        check("down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_out", to_out);
        check("lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_out_0", to_out);
        check("lora_te_text_model_encoder_layers_0_self_attn_q_proj", q_proj);
        check("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", q_proj);
        check("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", q_proj);
        check("text_encoder.text_model.encoder.layers.0.self_attn.to_q", q_proj);
        check("lora_te2_text_model_encoder_layers_0_mlp_fc1", second);
        check("unet.base_model.model.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0", to_out);
        check("base_model.model.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0", to_out);
        check("diffusion_model.input_blocks.3.1.transformer_blocks.0.attn1.to_out.0", to_out);
        check("lycoris_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0", to_out);
        check("text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj", q_proj);
        check("text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1", second);
        assert_eq!(names.find(None, "lora_unet_down_blocks_2_attentions_0_proj_in"), None);
        // In a folder of its own.
        let module = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj";
        assert_eq!(names.find(Some("text_encoder"), module), Some(&Found::One(q_proj)));
        assert_eq!(names.find(None, module), None, "there are two text encoders");
    }
}
