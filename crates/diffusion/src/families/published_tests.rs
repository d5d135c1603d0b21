//! The headers of published models: names and shapes of their tensors are those that are loaded (`tests/fixtures/published.py`).
//!
//! The files are as long as the published ones, but have no blocks on disk behind their headers.

use crate::device::DeviceName;
use crate::families::sizes::model_size;
use crate::weights::source::ModelSource;
use maquette_core::Dtype;
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

/// Checks that a model's parts take these bytes in bf16, in millions.
fn check(name: &str, tiny: &str, expected: &[(&str, u64)], at_once: u64) {
    let folder = folder(name, tiny);
    let size = model_size(&ModelSource::Folder(folder.path().to_owned()), DeviceName::Cuda(0), Dtype::Bf16);
    let size = size.unwrap_or_else(|error| panic!("{name}: {error}"));
    let parts = size.parts.iter().map(|part| (part.part.as_str(), part.memory / 1_000_000));
    assert_eq!(parts.collect::<Vec<_>>(), expected, "{name}");
    assert!(size.takes_turns && size.parts.iter().all(|part| part.in_file == 0));
    assert_eq!(size.at_once() / 1_000_000, at_once, "{name}");
}

#[test]
fn published_names_and_shapes_are_those_that_are_loaded() {
    let z_image = [("text_encoder", 7065), ("vae", 167), ("transformer", 12309)];
    check("z-image", "tiny-z-image", &z_image, 12477);
    let texts = [("text_encoder", 247), ("text_encoder_2", 1389), ("text_encoder_3", 9261)];
    let sd3 = [&texts[..], &[("vae", 167), ("transformer", 4939)]].concat();
    check("sd3.5-medium", "tiny-sd3", &sd3, 11065);
    let flux1 = [("text_encoder", 246), ("text_encoder_2", 9261), ("vae", 167), ("transformer", 23802)];
    check("flux1-dev", "tiny-flux1", &flux1, 23970);
    let klein = [("text_encoder", 5450), ("vae", 168), ("transformer", 7751)];
    check("flux2-klein-4b", "tiny-flux2", &klein, 7919);
}
