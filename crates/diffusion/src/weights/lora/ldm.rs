//! The names of the UNet's modules in Stable Diffusion's original code (LDM, and Stability's `sgm`), which LoRAs for
//! SDXL use.
//!
//! Not here: text encoders, whose names LoRAs take from transformers, and autoencoders, which LoRAs do not change.

use crate::weights::lora::targets::Layers;

/// The numbers of layers and resamplers of each block: LDM numbers them across all blocks.
pub(super) struct Blocks {
    /// The first number of each down block, and the end of the last one.
    down: Vec<usize>,
    /// The same for the up blocks.
    up: Vec<usize>,
    /// Which up blocks have attention.
    attends: Vec<bool>,
}

impl Blocks {
    pub(super) fn of(layers: &Layers) -> Blocks {
        let has = |name: String| layers.contains_key(&name);
        let count =
            |block: &str| (0..).take_while(|j| has(format!("unet.{block}.resnets.{j}.conv1"))).count();
        let mut down = vec![1];
        for i in 0.. {
            let block = format!("down_blocks.{i}");
            let layers = count(&block) + usize::from(has(format!("unet.{block}.downsamplers.0.conv")));
            if layers == 0 {
                break;
            }
            down.push(down[i] + layers);
        }
        let (mut up, mut attends) = (vec![0], Vec::new());
        for i in 0.. {
            let layers = count(&format!("up_blocks.{i}"));
            if layers == 0 {
                break;
            }
            up.push(up[i] + layers);
            attends.push(has(format!("unet.up_blocks.{i}.attentions.0.proj_in")));
        }
        Blocks { down, up, attends }
    }

    /// LDM's name of a module; `None` if there is none.
    pub(super) fn name(&self, module: &str) -> Option<String> {
        const OUTSIDE: [(&str, &str); 7] = [
            ("conv_in", "input_blocks.0.0"),
            ("conv_out", "out.2"),
            ("conv_norm_out", "out.0"),
            ("time_embedding.linear_1", "time_embed.0"),
            ("time_embedding.linear_2", "time_embed.2"),
            ("add_embedding.linear_1", "label_emb.0.0"),
            ("add_embedding.linear_2", "label_emb.0.2"),
        ];
        if let Some((_, name)) = OUTSIDE.iter().find(|(own, _)| *own == module) {
            return Some((*name).to_owned());
        }
        let (place, rest) = module.split_once('.')?;
        if place == "mid_block" {
            let (kind, j, inner) = layer(rest)?;
            let place = if kind == "attentions" { 1 } else { 2 * j };
            return Some(format!("middle_block.{place}.{}", within(kind, inner)));
        }
        let (block, rest) = rest.split_once('.')?;
        let block: usize = block.parse().ok()?;
        let (kind, j, inner) = layer(rest)?;
        match (place, kind) {
            ("down_blocks", "downsamplers") => {
                Some(format!("input_blocks.{}.0.op", self.down.get(block + 1)? - 1))
            }
            ("up_blocks", "upsamplers") => {
                let (last, place) =
                    (self.up.get(block + 1)? - 1, if *self.attends.get(block)? { 2 } else { 1 });
                Some(format!("output_blocks.{last}.{place}.conv"))
            }
            (_, "resnets" | "attentions") => {
                let (side, first) = match place {
                    "down_blocks" => ("input_blocks", self.down.get(block)?),
                    _ => ("output_blocks", self.up.get(block)?),
                };
                let place = usize::from(kind == "attentions");
                Some(format!("{side}.{}.{place}.{}", first + j, within(kind, inner)))
            }
            _ => None,
        }
    }
}

/// Kind, number and inner name of a module such as `resnets.0.conv1`.
fn layer(name: &str) -> Option<(&str, usize, &str)> {
    let (kind, rest) = name.split_once('.')?;
    let (number, inner) = rest.split_once('.')?;
    Some((kind, number.parse().ok()?, inner))
}

/// The name within one layer, which differs only in residual blocks.
fn within<'a>(kind: &str, inner: &'a str) -> &'a str {
    match (kind, inner) {
        ("resnets", "norm1") => "in_layers.0",
        ("resnets", "norm2") => "out_layers.0",
        ("resnets", "conv1") => "in_layers.2",
        ("resnets", "conv2") => "out_layers.3",
        ("resnets", "time_emb_proj") => "emb_layers.1",
        ("resnets", "conv_shortcut") => "skip_connection",
        _ => inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::lora::targets::Layer;
    use candle_core::{DType, Device, Tensor};
    use maquette_kernels::Weight;

    /// SDXL's blocks: three down blocks of two layers, three up blocks of three.
    #[test]
    fn modules_of_sdxl_have_the_names_of_its_checkpoint() {
        let zero = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        let weight = Weight::new(maquette_kernels::reference(), zero, DType::F32);
        let layer = Layer { weight, bias: None, inputs: 1, outputs: 1, kernel: None, is_pointwise: false };
        let mut layers = Layers::new();
        let mut add = |name: String| drop(layers.insert(format!("unet.{name}"), layer.clone()));
        for block in 0..3 {
            for j in 0..3 {
                add(format!("up_blocks.{block}.resnets.{j}.conv1"));
                if j < 2 {
                    add(format!("down_blocks.{block}.resnets.{j}.conv1"));
                }
                if block < 2 {
                    add(format!("up_blocks.{block}.attentions.{j}.proj_in"));
                }
            }
            if block < 2 {
                add(format!("down_blocks.{block}.downsamplers.0.conv"));
            }
        }
        let blocks = Blocks::of(&layers);
        let check = |name: &str, ldm: Option<&str>| assert_eq!(blocks.name(name).as_deref(), ldm, "{name}");
        check("conv_in", Some("input_blocks.0.0"));
        check("conv_out", Some("out.2"));
        check("conv_norm_out", Some("out.0"));
        check("mid_block.resnets.1.norm2", Some("middle_block.2.out_layers.0"));
        check("time_embedding.linear_2", Some("time_embed.2"));
        check("add_embedding.linear_1", Some("label_emb.0.0"));
        check("down_blocks.0.resnets.1.conv1", Some("input_blocks.2.0.in_layers.2"));
        check("down_blocks.0.downsamplers.0.conv", Some("input_blocks.3.0.op"));
        check("down_blocks.1.attentions.0.proj_in", Some("input_blocks.4.1.proj_in"));
        check("down_blocks.1.resnets.0.conv_shortcut", Some("input_blocks.4.0.skip_connection"));
        check(
            "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_out.0",
            Some("input_blocks.8.1.transformer_blocks.9.attn2.to_out.0"),
        );
        check("mid_block.resnets.0.conv2", Some("middle_block.0.out_layers.3"));
        check("mid_block.attentions.0.proj_out", Some("middle_block.1.proj_out"));
        check("mid_block.resnets.1.time_emb_proj", Some("middle_block.2.emb_layers.1"));
        check("up_blocks.0.attentions.2.proj_in", Some("output_blocks.2.1.proj_in"));
        check("up_blocks.0.upsamplers.0.conv", Some("output_blocks.2.2.conv"));
        check("up_blocks.1.attentions.0.proj_in", Some("output_blocks.3.1.proj_in"));
        check("up_blocks.2.resnets.2.conv_shortcut", Some("output_blocks.8.0.skip_connection"));
        check("no_such.module", None);
    }
}
