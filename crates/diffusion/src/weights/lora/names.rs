//! Finds the layer of a model for a module name in a LoRA.
//!
//! Names whose dots have become underscores are hard to parse. Instead, every layer's name is listed in all the forms
//! that LoRAs use, and the LoRA's name is looked up.

use super::ldm;
use crate::weights::lora::targets::Layers;
use std::collections::HashMap;

/// The names of a model's layers, by their names in LoRAs.
pub(super) struct Names<'a>(HashMap<String, &'a str>);

impl<'a> Names<'a> {
    pub(super) fn of(layers: &'a Layers) -> Names<'a> {
        let mut names = HashMap::new();
        let blocks = ldm::Blocks::of(layers);
        for name in layers.keys() {
            let Some((part, module)) = name.split_once('.') else { continue };
            for alias in aliases(part, module, &blocks) {
                names.insert(flat(&alias), name.as_str());
            }
        }
        Names(names)
    }

    /// The layer that is named `module` in a LoRA.
    pub(super) fn find(&self, module: &str) -> Option<&'a str> {
        self.0.get(&flat(&module.replace(".processor.", "."))).copied()
    }
}

/// Dots and underscores are equivalent.
fn flat(name: &str) -> String {
    name.replace('.', "_")
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
            aliases.push(format!("unet.{module}"));
            aliases.push(format!("lora_unet_{module}"));
        }
    } else {
        let mut modules = vec![module.to_owned()];
        // The first versions of diffusers named the projections as in the UNet.
        for (now, then) in
            [("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("out_proj", "to_out")]
        {
            modules.extend(module.strip_suffix(now).map(|stem| format!("{stem}{then}")));
        }
        let prefixes: &[&str] =
            if part == "text_encoder" { &["lora_te_", "lora_te1_"] } else { &["lora_te2_"] };
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
    use crate::weights::lora::targets::Layer;
    use candle_core::{DType, Device, Tensor};
    use maquette_kernels::Weight;

    #[test]
    fn names_of_all_trainers_lead_to_the_same_layer() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(maquette_kernels::reference(), zero, DType::F32);
        let layer = Layer { weight, inputs: 1, outputs: 1, kernel: None };
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
        let names = Names::of(&layers);
        let check = |module: &str, expected: &str| assert_eq!(names.find(module), Some(expected), "{module}");
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
        assert_eq!(names.find("lora_unet_down_blocks_2_attentions_0_proj_in"), None);
    }
}
