//! The tiny models as single files with their authors' names, by the recipes of `tests/fixtures/ldm.py` and `single_files.py`.

use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub type Tensors = HashMap<String, Tensor>;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub fn tensors(file: &Path) -> Tensors {
    candle_core::safetensors::load(file, &Device::Cpu).unwrap()
}

/// The tensors of a tiny model's checkpoint, by the recipe.
pub fn checkpoint(name: &str) -> Tensors {
    by_recipe(&format!("{name}-ldm.tsv"), name)
}

/// The tensors that a recipe makes of a tiny model's.
pub fn by_recipe(recipe: &str, model: &str) -> Tensors {
    let folder = fixture(model);
    let mut parts: HashMap<String, Tensors> = HashMap::new();
    let mut made = HashMap::new();
    let recipe = std::fs::read_to_string(fixture(recipe)).unwrap();
    for line in recipe.lines() {
        let [key, how, part, names] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let tensors = parts.entry(part.to_owned()).or_insert_with(|| {
            let file = if part.starts_with("text_encoder") { "model" } else { "diffusion_pytorch_model" };
            tensors(&folder.join(part).join(file).with_extension("safetensors"))
        });
        let found: Vec<&Tensor> = names.split(' ').map(|name| of_folder(tensors, name)).collect();
        let tensor = match how {
            "same" => found[0].clone(),
            "conv" => found[0].unsqueeze(2).unwrap().unsqueeze(3).unwrap(),
            "transposed" => found[0].t().unwrap().contiguous().unwrap(),
            "stacked" => Tensor::cat(&found, 0).unwrap(),
            "swapped" => {
                let halves = found[0].chunk(2, 0).unwrap();
                Tensor::cat(&[&halves[1], &halves[0]], 0).unwrap()
            }
            _ => panic!("{how}"),
        };
        made.insert(key.to_owned(), tensor);
    }
    made
}

/// A tensor by its current name; the folder may have an older one.
fn of_folder<'a>(tensors: &'a Tensors, name: &str) -> &'a Tensor {
    let old = name
        .replace(".to_q.", ".query.")
        .replace(".to_k.", ".key.")
        .replace(".to_v.", ".value.")
        .replace(".to_out.0.", ".proj_attn.");
    let bare = name.trim_start_matches("text_model.");
    let names = [name.to_owned(), old, format!("text_model.{bare}"), bare.to_owned()];
    names.iter().find_map(|name| tensors.get(name)).unwrap_or_else(|| panic!("{name}"))
}

/// Writes a safetensors file with texts in its header.
pub fn save_with(tensors: &Tensors, metadata: &[(&str, &str)], file: &Path) {
    let texts = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    safetensors::serialize_to_file(tensors, Some(texts.collect()), file).unwrap();
}
