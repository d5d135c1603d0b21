//! Models whose weights are read for each call give the same pictures as those whose weights stay in memory.

use crate::cases::{self, Case, Rendered, cell, fixtures, named, render};
use crate::composed::{composed, engine_of};
use crate::flow_cases::{FlowCase, cases_in};
use candle_core::{Device, Tensor, safetensors};
use maquette_core::{Cell, CellId, Dialect, Dtype, Lora, Settings};
use maquette_diffusion::DeviceName;
use std::collections::HashMap;
use std::path::Path;

/// The pictures of cells that share calls and of each alone, all weights offloaded, are those of a model in memory.
fn pictures_are_the_same(model: &str, cells: &[Cell]) {
    let folder = composed(&[model]);
    let pictures = |offload: bool, cells: &[Cell]| -> HashMap<CellId, Rendered> {
        render(&mut engine_of(DeviceName::Cpu, folder.path()).offloading(offload), cells)
    };
    let expected = pictures(false, cells);
    for cell in cells {
        assert!(expected[&cell.id].is_ok(), "{model}: {:?}", expected[&cell.id]);
    }
    assert!(pictures(true, cells) == expected, "{model}: cells that share calls");
    for cell in cells.iter().take(3) {
        assert_eq!(pictures(true, std::slice::from_ref(cell))[&cell.id], expected[&cell.id], "{model}");
    }
}

fn flow(file: &str) -> (String, Vec<Cell>) {
    let cases: Vec<FlowCase> = cases_in(file).into_iter().filter(FlowCase::is_plain).collect();
    (cases[0].case.model.clone(), cases.iter().map(FlowCase::cell).collect())
}

/// The cell with a random LoRA for a layer of the first block, in a file in `folder`.
fn with_lora(plain: &Cell, folder: &Path) -> Cell {
    let weights =
        fixtures().join(&*plain.settings.model).join("transformer/diffusion_pytorch_model.safetensors");
    let layer = "transformer_blocks.0.attn.to_q";
    let width = safetensors::load(weights, &Device::Cpu).unwrap()[&format!("{layer}.weight")].dim(0).unwrap();
    let numbers = |rows: usize, columns: usize| {
        let values: Vec<f32> = (0..rows * columns).map(|at| (at as f32 * 0.7).sin()).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    };
    let factors = HashMap::from([
        (format!("transformer.{layer}.lora_A.weight"), numbers(2, width)),
        (format!("transformer.{layer}.lora_B.weight"), numbers(width, 2)),
    ]);
    let file = folder.join("lora.safetensors");
    safetensors::save(&factors, &file).unwrap();
    let lora = vec![Lora { file: named(&file), weight: 0.8, text_weight: 0.8 }];
    cell(Settings { lora, ..plain.settings.clone() })
}

/// Checks the pictures of a family's cases, and one with a LoRA.
fn are_the_same_with_lora(cases: &str) {
    let (model, mut cells) = flow(cases);
    let folder = tempfile::tempdir().unwrap();
    cells.push(with_lora(&cells[0], folder.path()));
    pictures_are_the_same(&model, &cells);
}

/// Captions of different lengths, with and without a LoRA.
#[test]
fn z_image() {
    let (model, cells) = flow("z-image/cases.json");
    assert!(cells.iter().any(|cell| !cell.settings.lora.is_empty()));
    pictures_are_the_same(&model, &cells);
}

#[test]
fn flux1() {
    are_the_same_with_lora("flux1/cases.json");
}

/// Prompts of different lengths.
#[test]
fn chroma() {
    are_the_same_with_lora("chroma/cases.json");
}

#[test]
fn anima() {
    let (model, cells) = flow("anima/cases.json");
    pictures_are_the_same(&model, &cells);
}

#[test]
fn qwen_image() {
    are_the_same_with_lora("qwen-image/cases.json");
}

#[test]
fn flux2() {
    are_the_same_with_lora("flux2/cases.json");
}

#[test]
fn stable_diffusion_3() {
    let (model, mut cells) = flow("sd3/cases.json");
    let folder = tempfile::tempdir().unwrap();
    cells.push(with_lora(&cells[0], folder.path()));
    // Chunks of A1111's prompts are longer, which makes a call of their own.
    let dialect = Dialect::A1111;
    let prompt = "a very long prompt about a garden, ".repeat(20).into();
    cells.push(cell(Settings { dialect, prompt, ..cells[0].settings.clone() }));
    pictures_are_the_same(&model, &cells);
}

/// The UNet's linear layers, which other models keep in memory, and those of the text encoders, also with changes of both.
#[test]
fn unets() {
    for (file, lora) in [("cases.json", "lora/kohya.safetensors"), ("sdxl.json", "lora/xl.safetensors")] {
        let all = cases::cases_in(file);
        let model = all[0].model.clone();
        let mut cells: Vec<Cell> = all.iter().filter(|case| case.model == model).map(Case::cell).collect();
        let plain = cells[0].settings.clone();
        let lora = Lora { file: named(&fixtures().join(lora)), weight: 0.8, text_weight: 0.8 };
        cells.push(cell(Settings { lora: vec![lora], ..plain.clone() }));
        cells.push(cell(Settings { dtype: Dtype::Bf16, ..plain }));
        pictures_are_the_same(&model, &cells);
    }
}
