//! Changes of a module that is several layers of the model: queries, keys and values in one, as in the original code of
//! transformers.
//!
//! The change is fitted to the module as a whole; each layer gets its rows of it, so that it is the same change as if every
//! layer had its own.

use super::change::{Axis, Change, Difference, Magnitude, Matrix, WeightChange};
use crate::weights::lora::targets::Layer;
use crate::weights::original_names::Rows;
use candle_core::{Device, Result, Tensor};

/// The module that `layer` is a part of, of which `rows` are its own.
pub(super) fn whole(layer: &Layer, rows: Rows) -> Layer {
    match rows {
        Rows::Part { all, .. } => Layer { outputs: all * layer.outputs / 4, ..layer.clone() },
        Rows::All | Rows::Swapped => layer.clone(),
    }
}

/// The rows of a change that are those of a layer; `None` if the change cannot be divided: with norms for each input, which
/// are those of all rows together.
pub(super) fn rows(change: &Change, layer: &Layer, rows: Rows) -> Result<Option<Change>> {
    let (count, half) = (layer.outputs, layer.outputs / 2);
    let pick = |tensor: &Tensor| match rows {
        Rows::All => Ok(tensor.clone()),
        Rows::Part { before, .. } => tensor.narrow(0, before * count / 4, count)?.contiguous(),
        Rows::Swapped => Tensor::cat(&[tensor.narrow(0, half, half)?, tensor.narrow(0, 0, half)?], 0),
    };
    let weight = match &change.weight {
        None => None,
        Some(WeightChange { difference, scale, magnitude }) => {
            let magnitude = match magnitude {
                Some(Magnitude { axis: Axis::Inputs, .. }) => return Ok(None),
                Some(Magnitude { norms, axis, rule }) => {
                    Some(Magnitude { norms: pick(norms)?, axis: *axis, rule: *rule })
                }
                None => None,
            };
            Some(WeightChange { difference: rows_of(difference, layer, pick)?, scale: *scale, magnitude })
        }
    };
    let bias = change.bias.iter().map(|(bias, scale)| Ok((pick(bias)?, *scale))).collect::<Result<_>>()?;
    Ok(Some(Change { weight, scale: None, bias }))
}

fn rows_of(
    difference: &Difference,
    layer: &Layer,
    pick: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Difference> {
    let of_matrix = |matrix: &Matrix| match matrix {
        Matrix::Whole(tensor) => Ok(Some(Matrix::Whole(pick(tensor)?))),
        Matrix::Product(left, right) => Ok(Some(Matrix::Product(pick(left)?, right.clone()))),
        Matrix::Tucker(..) => Ok::<_, candle_core::Error>(None),
    };
    Ok(match difference {
        Difference::LowRank { down, mid, up } => {
            Difference::LowRank { down: down.clone(), mid: mid.clone(), up: pick(up)? }
        }
        Difference::Hadamard(one, other) => match (of_matrix(one)?, of_matrix(other)?) {
            (Some(one), Some(other)) => Difference::Hadamard(one, other),
            _ => full(difference, layer, pick)?,
        },
        Difference::Kronecker(..) | Difference::Full(_) => full(difference, layer, pick)?,
    })
}

fn full(
    difference: &Difference,
    layer: &Layer,
    pick: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Difference> {
    let values = difference.tensor(layer.weight.kernels(), &Device::Cpu)?;
    let columns = layer.inputs * layer.kernel.map_or(1, |size| size * size);
    Ok(Difference::Full(pick(&values.reshape(((), columns))?)?))
}

#[cfg(test)]
mod tests {
    use crate::weights::lora::file::LoraFile;
    use crate::weights::lora::targets::{Layer, Layers, Targets};
    use candle_core::{DType, Device, Tensor};
    use maquette_kernels::{Vector, Weight};
    use std::collections::HashMap;

    const INPUTS: usize = 4;
    const OUTPUTS: usize = 6;

    /// Layers of a transformer, named as in diffusers, with biases.
    fn targets(names: &[&str]) -> Targets {
        let kernels = maquette_kernels::reference();
        let layer = |name: &&str| {
            let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            let outputs = if name.ends_with("proj_mlp") { 4 * OUTPUTS } else { OUTPUTS };
            let weight = Weight::new(kernels, zeros(&[INPUTS, outputs]), DType::F32);
            let bias = Some(Vector::new(zeros(&[outputs])));
            let inputs = INPUTS;
            let layer = Layer { weight, bias, inputs, outputs, kernel: None, is_pointwise: false };
            (format!("transformer.{name}"), layer)
        };
        Targets { layers: names.iter().map(layer).collect::<Layers>(), ..Targets::default() }
    }

    /// Different numbers for every shape, always the same.
    fn random(shape: &[usize]) -> Tensor {
        let count: usize = shape.iter().product();
        let values: Vec<f32> =
            (0..count).map(|at| ((at * 7919 + count * 31) % 101) as f32 / 16.0 - 3.0).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn opened(tensors: &HashMap<String, Tensor>, targets: &Targets) -> LoraFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lora.safetensors");
        candle_core::safetensors::save(tensors, &path).unwrap();
        LoraFile::open(&path, targets).unwrap()
    }

    /// What a LoRA adds to a layer's weight, its bias, and the norms of DoRA.
    fn values(lora: &LoraFile, layer: &str) -> [Vec<f32>; 3] {
        let change = lora.change(layer).unwrap();
        let flat = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let weight = change.weight.as_ref().unwrap();
        let difference = weight.difference.tensor(maquette_kernels::reference(), &Device::Cpu).unwrap();
        let bias = change.bias.iter().flat_map(|(bias, scale)| flat((bias * *scale).unwrap())).collect();
        let norms = weight.magnitude.as_ref().map_or(Vec::new(), |magnitude| flat(magnitude.norms.clone()));
        [flat((difference * weight.scale).unwrap()), bias, norms]
    }

    /// A LoRA of `module` of the original code is that of `layers`, whose rows of it begin at these numbers.
    fn check(module: &str, layers: &[(&str, &[(usize, usize)])], others: &[&str]) {
        let names: Vec<&str> = layers.iter().map(|(name, _)| *name).chain(others.iter().copied()).collect();
        let targets = targets(&names);
        let outputs: usize = layers.iter().flat_map(|(_, rows)| rows.iter()).map(|(_, count)| count).sum();
        let low_rank = || {
            vec![
                (".lora_B.weight", random(&[outputs, 2]), true),
                (".lora_A.weight", random(&[2, INPUTS]), false),
            ]
        };
        let alpha = || (".alpha", Tensor::new(&[3f32], &Device::Cpu).unwrap(), false);
        let kinds = [
            low_rank(),
            [low_rank(), vec![alpha(), (".diff_b", random(&[outputs]), true)]].concat(),
            [low_rank(), vec![(".dora_scale", random(&[outputs, 1]), true)]].concat(),
            vec![(".diff", random(&[outputs, INPUTS]), true)],
            vec![
                (".hada_w1_a", random(&[outputs, 2]), true),
                (".hada_w1_b", random(&[2, INPUTS]), false),
                (".hada_w2_a", random(&[outputs, 2]), true),
                (".hada_w2_b", random(&[2, INPUTS]), false),
                alpha(),
            ],
        ];
        for factors in kinds {
            for prefix in ["diffusion_model.", "transformer.", "lora_unet_"] {
                let module =
                    if prefix == "lora_unet_" { module.replace('.', "_") } else { module.to_owned() };
                let whole = factors
                    .iter()
                    .map(|(ending, tensor, _)| (format!("{prefix}{module}{ending}"), tensor.clone()));
                let whole = opened(&whole.collect(), &targets);
                let mut split = HashMap::new();
                for (layer, rows) in layers {
                    for (ending, tensor, has_rows) in &factors {
                        let parts = rows.iter().map(|(at, count)| tensor.narrow(0, *at, *count).unwrap());
                        let part = match has_rows {
                            true => Tensor::cat(&parts.collect::<Vec<_>>(), 0).unwrap(),
                            false => tensor.clone(),
                        };
                        split.insert(format!("transformer.{layer}{ending}"), part);
                    }
                }
                let split = opened(&split, &targets);
                assert_eq!(whole.layers().count(), layers.len());
                for (layer, _) in layers {
                    let layer = format!("transformer.{layer}");
                    assert_eq!(values(&whole, &layer), values(&split, &layer), "{module} {}", factors[0].0);
                }
            }
        }
    }

    const THIRDS: [&[(usize, usize)]; 3] =
        [&[(0, OUTPUTS)], &[(OUTPUTS, OUTPUTS)], &[(2 * OUTPUTS, OUTPUTS)]];

    fn thirds(layers: [&str; 3]) -> Vec<(&str, &'static [(usize, usize)])> {
        layers.into_iter().zip(THIRDS).collect()
    }

    #[test]
    fn a_lora_of_fused_layers_is_the_same_as_one_of_each() {
        const HALVES: &[(usize, usize)] = &[(OUTPUTS / 2, OUTPUTS / 2), (0, OUTPUTS / 2)];
        let of = |stem: &'static str, ends: [&str; 3]| ends.map(|end| format!("{stem}.{end}"));
        let (own, added) = (["to_q", "to_k", "to_v"], ["add_q_proj", "add_k_proj", "add_v_proj"]);
        let z_image = of("layers.0.attention", own);
        let refiner = ["noise_refiner.0.feed_forward.w1"];
        check("layers.0.attention.qkv", &thirds(z_image.each_ref().map(|it| &**it)), &refiner);
        let (own, added) = (of("transformer_blocks.0.attn", own), of("transformer_blocks.0.attn", added));
        let own = || thirds(own.each_ref().map(|it| &**it));
        let added = || thirds(added.each_ref().map(|it| &**it));
        let flux2 = ["double_stream_modulation_img.linear"];
        check("double_blocks.0.img_attn.qkv", &own(), &flux2);
        check("double_blocks.0.txt_attn.qkv", &added(), &flux2);
        check("final_layer.adaLN_modulation.1", &[("norm_out.linear", HALVES)], &flux2);
        let flux1 = ["single_transformer_blocks.1.proj_out"];
        check("double_blocks.0.img_attn.qkv", &own(), &flux1);
        check("double_blocks.0.txt_attn.qkv", &added(), &flux1);
        let chroma = ["distilled_guidance_layer.layers.0.linear_1"];
        check("double_blocks.0.img_attn.qkv", &own(), &chroma);
        check("final_layer.adaLN_modulation.1", &[("norm_out.linear", HALVES)], &flux1);
        const OF_MLP: &[(usize, usize)] = &[(3 * OUTPUTS, 4 * OUTPUTS)];
        let single = ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"];
        let single = single.map(|end| format!("single_transformer_blocks.0.{end}"));
        let rows = THIRDS.into_iter().chain([OF_MLP]);
        let linear1: Vec<_> = single.iter().map(|it| &**it).zip(rows).collect();
        check("single_blocks.0.linear1", &linear1, &flux1);
        let sd3 = ["context_embedder", "transformer_blocks.1.ff.net.2"];
        check("joint_blocks.0.x_block.attn.qkv", &own(), &sd3);
        check("joint_blocks.0.context_block.attn.qkv", &added(), &sd3);
    }

    /// The Kronecker product is computed, and its rows are taken.
    #[test]
    fn a_lokr_of_fused_layers_is_divided() {
        let layers = ["to_q", "to_k", "to_v"].map(|end| format!("layers.0.attention.{end}"));
        let names: Vec<&str> =
            layers.iter().map(|it| &**it).chain(["noise_refiner.0.feed_forward.w1"]).collect();
        let targets = targets(&names);
        let (first, second) = (random(&[3, 1]), random(&[OUTPUTS, INPUTS]));
        let key = |end: &str| format!("diffusion_model.layers.0.attention.qkv.{end}");
        let tensors = HashMap::from([(key("lokr_w1"), first.clone()), (key("lokr_w2"), second.clone())]);
        let lora = opened(&tensors, &targets);
        for (third, layer) in layers.iter().enumerate() {
            let factor = f64::from(first.to_vec2::<f32>().unwrap()[third][0]);
            let expected = (&second * factor).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(&lora, &format!("transformer.{layer}"))[0], expected);
        }
    }
}
