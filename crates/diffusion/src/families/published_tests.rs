//! The headers of published models: names and shapes of their tensors are those that are loaded (`tests/fixtures/published.py`).
//!
//! The files are as long as the published ones, but have no blocks on disk behind their headers.

use crate::families::flux1::Flux1;
use crate::families::flux2::Flux2;
use crate::families::stable_diffusion_3::StableDiffusion3;
use crate::families::z_image::ZImage;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device};
use std::io::Write;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// A folder like the published one, with tokenizers and scheduler of a tiny model.
fn folder(name: &str, tiny: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(format!("{FIXTURES}/published/{name}.txt")).unwrap();
    for part in text.split("# ").filter(|part| !part.is_empty()) {
        let mut lines = part.lines();
        let (part, config) = (lines.next().unwrap(), lines.next().unwrap());
        let path = folder.path().join(part);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("config.json"), config).unwrap();
        let stem = if part.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
        write_header(&path.join(format!("{stem}.safetensors")), lines);
    }
    for part in Path::new(FIXTURES).join(tiny).read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        let name = part.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("tokenizer") || name == "scheduler" {
            std::fs::create_dir(folder.path().join(&name)).unwrap();
            for file in part.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                std::fs::copy(&file, folder.path().join(&name).join(file.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

/// A safetensors file with these tensors in bf16, one `name shape` a line.
fn write_header<'a>(path: &Path, lines: impl Iterator<Item = &'a str>) {
    let (mut header, mut end) = (serde_json::Map::new(), 0_u64);
    for line in lines {
        let (name, shape) = line.split_once(' ').unwrap();
        let shape: Vec<u64> = shape.split(',').map(|axis| axis.parse().unwrap()).collect();
        let start = end;
        end += 2 * shape.iter().product::<u64>();
        let entry = serde_json::json!({"dtype": "BF16", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.to_owned(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + end).unwrap();
}

#[test]
fn published_names_and_shapes_are_those_that_are_loaded() {
    let options = &LoadOptions::new(&Device::Cpu, DType::BF16).headers_only();
    let source = |folder: &tempfile::TempDir| ModelSource::Folder(folder.path().to_owned());
    let z_image = folder("z-image", "tiny-z-image");
    ZImage::load_with(&source(&z_image), options).map(drop).unwrap();
    let sd3 = folder("sd3.5-medium", "tiny-sd3");
    StableDiffusion3::load_with(&source(&sd3), options).map(drop).unwrap();
    let dev = folder("flux1-dev", "tiny-flux1");
    Flux1::load_with(&source(&dev), options).map(drop).unwrap();
    let klein = folder("flux2-klein-4b", "tiny-flux2");
    Flux2::load_with(&source(&klein), options).map(drop).unwrap();
}
