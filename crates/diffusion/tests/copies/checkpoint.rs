//! The tiny models as single files with LDM's names, by the recipes of `tests/fixtures/ldm.py`.

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
    let folder = fixture(name);
    let mut parts: HashMap<&str, Tensors> = HashMap::new();
    let mut made = HashMap::new();
    let recipe = std::fs::read_to_string(fixture(&format!("{name}-ldm.tsv"))).unwrap();
    for line in recipe.lines() {
        let [key, how, part, names] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let known = ["unet", "vae", "text_encoder", "text_encoder_2"];
        let part = known.into_iter().find(|known| *known == part).unwrap();
        let tensors = parts.entry(part).or_insert_with(|| {
            let file = if part.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
            tensors(&folder.join(part).join(file).with_extension("safetensors"))
        });
        let found: Vec<&Tensor> = names.split(' ').map(|name| of_folder(tensors, name)).collect();
        let tensor = match how {
            "same" => found[0].clone(),
            "conv" => found[0].unsqueeze(2).unwrap().unsqueeze(3).unwrap(),
            "transposed" => found[0].t().unwrap().contiguous().unwrap(),
            "stacked" => Tensor::cat(&found, 0).unwrap(),
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
