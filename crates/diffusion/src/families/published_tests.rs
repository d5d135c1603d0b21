//! The headers of published models: names and shapes of their tensors are those that are loaded (`tests/fixtures/published.py`,
//! `single_files.py`).
//!
//! The files are as long as the published ones, but have no blocks on disk behind their headers.

use crate::device::DeviceName;
use crate::families::sizes::model_size;
use crate::weights::source::ModelSource;
use maquette_core::Dtype;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// A part of a published model: its folder, its configuration, and a line for each of its tensors.
struct Part {
    name: String,
    config: String,
    tensors: Vec<String>,
}

fn parts(name: &str) -> Vec<Part> {
    let text = std::fs::read_to_string(format!("{FIXTURES}/published/{name}.txt")).unwrap();
    let part = |part: &str| {
        let mut lines = part.lines().map(str::to_owned);
        let (name, config) = (lines.next().unwrap(), lines.next().unwrap());
        Part { name, config, tensors: lines.collect() }
    };
    text.split("# ").filter(|part| !part.is_empty()).map(part).collect()
}

/// A folder like the published one, with tokenizers and scheduler of a tiny model.
fn folder(name: &str, tiny: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for Part { name, config, tensors } in parts(name) {
        let path = folder.path().join(&name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("config.json"), config).unwrap();
        let stem = if name.starts_with("text_encoder") { "model" } else { "diffusion_pytorch_model" };
        write_header(&path.join(format!("{stem}.safetensors")), tensors.iter().map(|line| &**line));
    }
    for part in Path::new(FIXTURES).join(tiny).read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        let name = part.file_name().unwrap().to_str().unwrap().to_owned();
        if name.contains("tokenizer") || name == "scheduler" {
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
    let header = Value::Object(header).to_string();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + end).unwrap();
}

/// Checks that a model's parts take these bytes in bf16, in millions.
fn check(name: &str, tiny: &str, expected: &[(&str, u64)], at_once: u64) {
    let folder = folder(name, tiny);
    check_size(name, &ModelSource::Folder(folder.path().to_owned()), expected, at_once);
}

fn check_size(name: &str, source: &ModelSource, expected: &[(&str, u64)], at_once: u64) {
    let size = model_size(source, DeviceName::Cuda(0), Dtype::Bf16, &[]);
    let size = size.unwrap_or_else(|error| panic!("{name}: {error}"));
    let parts = size.parts.iter().map(|part| (part.part.as_str(), part.memory / 1_000_000));
    assert_eq!(parts.collect::<Vec<_>>(), expected, "{name}");
    assert!(size.takes_turns && size.parts.iter().all(|part| part.in_file == 0));
    assert_eq!(size.at_once() / 1_000_000, at_once, "{name}");
}

const Z_IMAGE: &[(&str, u64)] = &[("text_encoder", 7065), ("vae", 167), ("transformer", 12309)];
const SD3: &[(&str, u64)] = &[
    ("text_encoder", 247),
    ("text_encoder_2", 1389),
    ("text_encoder_3", 9261),
    ("vae", 167),
    ("transformer", 4939),
];
const FLUX1: &[(&str, u64)] =
    &[("text_encoder", 246), ("text_encoder_2", 9261), ("vae", 167), ("transformer", 23802)];
const KLEIN: &[(&str, u64)] = &[("text_encoder", 5450), ("vae", 168), ("transformer", 7751)];

const CHROMA: &[(&str, u64)] = &[("text_encoder", 9261), ("vae", 167), ("transformer", 17799)];

#[test]
fn published_names_and_shapes_are_those_that_are_loaded() {
    check("z-image", "tiny-z-image", Z_IMAGE, 12477);
    check("sd3.5-medium", "tiny-sd3", SD3, 11065);
    check("flux1-dev", "tiny-flux1", FLUX1, 23970);
    check("flux2-klein-4b", "tiny-flux2", KLEIN, 7919);
    check("chroma1-hd", "tiny-chroma", CHROMA, 17967);
    check("anima", "tiny-anima", ANIMA, 4002);
    check("qwen-image", "tiny-qwen-image", QWEN_IMAGE, 40_950);
}

const ANIMA: &[(&str, u64)] =
    &[("text_encoder", 880), ("text_conditioner", 203), ("vae", 89), ("transformer", 3912)];
const QWEN_IMAGE: &[(&str, u64)] = &[("text_encoder", 13_051), ("vae", 89), ("transformer", 40_860)];
/// CLIP's text encoder in a file of its own, without a projection.
const CLIP_L: (&str, &str) = ("flux1-dev", "text_encoder");
const QWEN_06B: (&str, &str) = ("anima", "text_encoder");

/// What a published file has, or one of a text encoder in transformers' names: `of` is a file of `single_files`, or a model and
/// its part.
fn write_published(file: &Path, of: (&str, &str), prefix: &str) {
    let lines = match of {
        (name, "") => {
            let text = std::fs::read_to_string(format!("{FIXTURES}/single_files/{name}.txt")).unwrap();
            text.lines().map(str::to_owned).collect()
        }
        (model, part) => parts(model).into_iter().find(|it| it.name == part).unwrap().tensors,
    };
    let lines: Vec<String> = lines.iter().map(|line| format!("{prefix}{line}")).collect();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    match file.extension().is_some_and(|ending| ending == "gguf") {
        true => write_gguf_header(file, &lines),
        false => write_header(file, lines.iter().map(|line| &**line)),
    }
}

/// The same in GGUF, with F16.
fn write_gguf_header(path: &Path, lines: &[String]) {
    const F16: u32 = 1;
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let (mut header, mut end) = (b"GGUF".to_vec(), 0_u64);
    header.extend(3_u32.to_le_bytes());
    header.extend([lines.len() as u64, 0].map(u64::to_le_bytes).concat());
    for line in lines {
        let (name, shape) = line.split_once(' ').unwrap();
        let shape: Vec<u64> = shape.rsplit(',').map(|axis| axis.parse().unwrap()).collect();
        header.extend(text(name));
        header.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|axis| header.extend(axis.to_le_bytes()));
        header.extend(F16.to_le_bytes());
        header.extend(end.to_le_bytes());
        end += (2 * shape.iter().product::<u64>()).next_multiple_of(32);
    }
    let start = header.len().next_multiple_of(32) as u64;
    std::fs::write(path, header).unwrap();
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(start + end).unwrap();
}

/// A published file alone in its folder, with the others in ComfyUI's: their parts take the same bytes as the folder's, and
/// what is inferred of them is what their configurations say.
fn check_single(
    (name, model, tiny): (&str, &str, &str),
    files: &[(&str, (&str, &str))],
    tokenizers: &[(&str, &str)],
    expected: &[(&str, u64)],
    at_once: u64,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("diffusion_models").join(format!("{name}.safetensors"));
    write_published(&file, (name, ""), "");
    for (file, of) in files {
        // Published files of CLIP have the names of older versions of transformers, that of Anima's Qwen3 those of the model that
        // generates text.
        let prefix = match *of {
            CLIP_L => "text_model.",
            QWEN_06B => "model.",
            _ => "",
        };
        write_published(&folder.path().join(file), *of, prefix);
    }
    for (from, to) in tokenizers {
        let to = folder.path().join("text_encoders").join(to);
        std::fs::copy(Path::new(FIXTURES).join(tiny).join(from), to).unwrap();
    }
    let source = ModelSource::at(&file).unwrap_or_else(|error| panic!("{error}"));
    check_size(name, &source, expected, at_once);
    for Part { name: part, config, .. } in parts(model) {
        let found: Value =
            serde_json::from_slice(&source.open(&format!("{part}/config.json")).unwrap()).unwrap();
        let stated: Value = serde_json::from_str(&config).unwrap();
        for (key, value) in found.as_object().unwrap() {
            // Classes of text encoders and keys without a counterpart have no effect.
            // Null is what diffusers computes from another key, such as as many channels out as in.
            let Some(stated) = stated.get(key).filter(|it| key != "architectures" && !it.is_null()) else {
                continue;
            };
            let same = value == stated || value.as_f64().is_some() && value.as_f64() == stated.as_f64();
            assert!(same, "{name}: `{key}` of {part} is {value}, not {stated}");
        }
    }
}

#[test]
fn published_single_files_are_those_that_are_loaded() {
    let t5 = &[("tokenizer_2/tokenizer.json", "t5_tokenizer.json")];
    let flux1 = [
        ("text_encoders/clip_l.safetensors", CLIP_L),
        ("text_encoders/t5xxl_fp16.safetensors", ("flux1-dev", "text_encoder_2")),
        ("vae/ae.safetensors", ("ae", "")),
    ];
    check_single(("flux1-dev", "flux1-dev", "tiny-flux1"), &flux1, t5, FLUX1, 23970);
    let with_gguf = flux1.map(|it| match it {
        ("text_encoders/t5xxl_fp16.safetensors", _) => {
            ("text_encoders/t5-v1_1-xxl-encoder-f16.gguf", ("t5-v1_1-xxl-encoder-f16", ""))
        }
        other => other,
    });
    check_single(("flux1-dev", "flux1-dev", "tiny-flux1"), &with_gguf, t5, FLUX1, 23970);
    let chroma = [
        ("text_encoders/t5xxl_fp16.safetensors", ("chroma1-hd", "text_encoder")),
        ("vae/ae.safetensors", ("ae", "")),
    ];
    let t5_of_chroma = &[("tokenizer/tokenizer.json", "t5_tokenizer.json")];
    check_single(("Chroma1-HD", "chroma1-hd", "tiny-chroma"), &chroma, t5_of_chroma, CHROMA, 17967);
    let klein = [
        ("text_encoders/qwen_3_4b.safetensors", ("flux2-klein-4b", "text_encoder")),
        ("vae/flux2-vae.safetensors", ("flux2-vae", "")),
    ];
    let qwen = &[("tokenizer/tokenizer.json", "../diffusion_models/tokenizer.json")];
    check_single(("flux-2-klein-4b", "flux2-klein-4b", "tiny-flux2"), &klein, qwen, KLEIN, 7919);
    let with_gguf = [("text_encoders/Qwen3-4B-BF16.gguf", ("Qwen3-4B-BF16", "")), klein[1]];
    check_single(("flux-2-klein-4b", "flux2-klein-4b", "tiny-flux2"), &with_gguf, qwen, KLEIN, 7919);
    let anima = [
        ("text_encoders/qwen_3_06b_base.safetensors", QWEN_06B),
        ("vae/qwen_image_vae.safetensors", ("qwen_image_vae", "")),
    ];
    let both = [qwen[0], ("t5_tokenizer/tokenizer.json", "t5_tokenizer.json")];
    check_single(("anima-preview", "anima", "tiny-anima"), &anima, &both, ANIMA, 4002);
    let qwen_image = [
        ("text_encoders/qwen_2.5_vl_7b.safetensors", ("qwen-image", "text_encoder")),
        ("vae/qwen_image_vae.safetensors", ("qwen_image_vae", "")),
    ];
    let of_z_image = ("../tiny-z-image/tokenizer/tokenizer.json", qwen[0].1);
    let name = ("qwen_image_bf16", "qwen-image", "tiny-qwen-image");
    check_single(name, &qwen_image, &[of_z_image], QWEN_IMAGE, 40_950);
    let with_gguf = [
        ("text_encoders/Qwen2.5-VL-7B-Instruct-BF16.gguf", ("Qwen2.5-VL-7B-Instruct-BF16", "")),
        qwen_image[1],
    ];
    check_single(name, &with_gguf, &[of_z_image], QWEN_IMAGE, 40_950);
    let sd3 = [
        ("text_encoders/clip_l.safetensors", CLIP_L),
        ("text_encoders/clip_g.safetensors", ("sd3.5-medium", "text_encoder_2")),
        ("text_encoders/t5xxl_fp16.safetensors", ("sd3.5-medium", "text_encoder_3")),
    ];
    let t5 = &[("tokenizer_3/tokenizer.json", "t5_tokenizer.json")];
    let parts = [&[("text_encoder", 246)], &SD3[1..]].concat();
    check_single(("sd3.5_medium", "sd3.5-medium", "tiny-sd3"), &sd3, t5, &parts, 11064);
}
