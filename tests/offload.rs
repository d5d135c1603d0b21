//! `--offload` takes less memory for the same pictures.

use crate::support::{Random, Workspace, repository};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// How many times wider the transformer is than that of the fixture, and its blocks of the second kind.
const WIDER: u64 = 16;
const SINGLE_BLOCKS: u64 = 12;

/// FLUX.2 with random weights in bf16 in the folder `model`: that of the fixtures with a larger transformer. The number of its values.
fn model(workspace: &Workspace) -> u64 {
    let tiny = repository().join("tests/fixtures/tiny-flux2");
    copy(&tiny, &workspace.path().join("model"));
    let mut config: Map<String, Value> =
        serde_json::from_slice(&fs::read(tiny.join("transformer/config.json")).unwrap()).unwrap();
    config.insert("attention_head_dim".into(), 64.into());
    config.insert("num_attention_heads".into(), (WIDER / 2).into());
    config.insert("num_single_layers".into(), SINGLE_BLOCKS.into());
    config.insert("axes_dims_rope".into(), json!([16, 16, 16, 16]));
    workspace.write("model/transformer/config.json", Value::from(config).to_string());

    let weights = "transformer/diffusion_pytorch_model.safetensors";
    let content = fs::read(tiny.join(weights)).unwrap();
    let length = u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&content[8..8 + length]).unwrap();
    let (mut wider, mut values) = (Map::new(), 0);
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let dims: Vec<u64> =
            tensor["shape"].as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap()).collect();
        let shape: Vec<u64> = match dims.as_slice() {
            [_] => vec![64],
            // Those of the text encoder, the time and the latents stay.
            dims => {
                dims.iter().map(|&dim| if [16, 36, 256].contains(&dim) { dim } else { dim * WIDER }).collect()
            }
        };
        let first = "single_transformer_blocks.0.";
        let names = match name.strip_prefix(first) {
            Some(rest) => {
                (0..SINGLE_BLOCKS).map(|at| format!("single_transformer_blocks.{at}.{rest}")).collect()
            }
            None if name.starts_with("single_transformer_blocks.") => Vec::new(),
            None => vec![name.clone()],
        };
        for name in names {
            let count: u64 = shape.iter().product();
            let place = [2 * values, 2 * (values + count)];
            wider.insert(name, json!({ "dtype": "BF16", "shape": &shape, "data_offsets": place }));
            values += count;
        }
    }
    let mut header = Value::from(wider).to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    let mut random = Random(1);
    for _ in 0..values {
        // 0.008 to 0.03, of either sign.
        let bits = 0x3c00 + random.below(0x100) + 0x8000 * random.below(2);
        file.extend((bits as u16).to_le_bytes());
    }
    workspace.write(&format!("model/{weights}"), file);
    values
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => _ = fs::copy(entry.path(), to.join(entry.file_name())).unwrap(),
        }
    }
}

/// Runs the experiment; the peak of the process in bytes, and the pixels of its pictures.
fn run(workspace: &Workspace, runs: &str, more: &[&str]) -> (u64, Vec<Vec<u8>>) {
    let arguments = ["run", "e.toml", "--device", "cpu", "--no-sheets", "--runs", runs];
    workspace.maquette(&[&arguments, more].concat()).code(0);
    let timings: Value = serde_json::from_str(&workspace.read(&format!("{runs}/.timings.json"))).unwrap();
    let peaks = timings["memory"].as_array().unwrap().iter().map(|entry| entry[1].as_u64().unwrap());
    let mut pictures = Vec::new();
    for file in
        workspace.files(runs).iter().filter(|file| file.contains("/images/") && file.ends_with(".png"))
    {
        pictures.push(image::open(workspace.path().join(runs).join(file)).unwrap().into_rgb8().into_raw());
    }
    (peaks.max().unwrap(), pictures)
}

/// The peak of the process is asked of the system, which only Linux answers.
#[cfg(target_os = "linux")]
#[test]
fn offloaded_weights_take_less_memory_and_give_the_same_pictures() {
    let workspace = Workspace::new();
    let in_memory = 4 * model(&workspace);
    let experiment = "model = \"model\"\nprompt = \"a hat\"\nsteps = 1\nguidance_scale = 1\nwidth = 32\nheight = 32\n\
                      [sweep]\nseed = [1, 2]\n";
    workspace.write("e.toml", experiment);
    let (peak, pictures) = run(&workspace, "whole", &[]);
    let (offloaded, same) = run(&workspace, "streamed", &["--offload"]);
    assert_eq!(pictures.len(), 2);
    assert_ne!(pictures[0], pictures[1]);
    assert!(pictures == same);
    // Without the base of the process, a block is left, and the bytes that it is made from.
    assert!(peak > in_memory, "{peak} bytes of {in_memory}");
    assert!(offloaded + in_memory / 3 * 2 < peak, "{offloaded} and {peak} bytes, weights of {in_memory}");

    let plan = workspace.maquette(&["plan", "e.toml", "--device", "cpu"]).code(0).stdout;
    assert!(plan.contains("at once, with --offload"), "{plan}");
}
