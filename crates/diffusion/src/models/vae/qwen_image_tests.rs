//! A tiny autoencoder like Qwen-Image's against diffusers (`tests/fixtures/anima.py`).

use super::*;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use crate::weights::tensors::WeightFile;
use candle_core::Device;
use std::collections::HashMap;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

fn load(changed: &[(&'static str, Value)]) -> Loaded<QwenImage> {
    let source = ModelSource::Folder(Path::new(FIXTURES).join("tiny-anima"));
    let mut config = ConfigFile::open(&source, "vae/config.json").unwrap();
    for (key, value) in changed {
        config = config.with([(*key, value.clone())]);
    }
    let options = LoadOptions::new(&Device::Cpu, DType::F32);
    let weights = WeightFile::open(&source, "vae/diffusion_pytorch_model", config.file(), &options).unwrap();
    let vae = QwenImage::load(&config, &weights.root())?;
    weights.all_used(is_spare)?;
    Ok(vae)
}

/// The largest difference.
fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn it_matches_diffusers() {
    let vae = load(&[]).unwrap();
    assert_eq!(vae.latent_channels, 16);
    let file = Path::new(FIXTURES).join("anima/values.safetensors");
    let values: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let (pixels, latents) = (&values["vae.pixels"], &values["vae.latents"]);
    let off = distance(&vae.encode(pixels).unwrap().0, latents);
    assert!(off < 1e-4, "{off}");
    let decoded = vae.decode(latents).unwrap();
    let off = distance(&decoded.clamp(-1f32, 1f32).unwrap(), &values["vae.decoded"]);
    assert!(off < 1e-4, "{off}");
    // Rows do not depend on each other, not by a bit.
    let row = |x: &Tensor| x.narrow(0, 1, 1).unwrap().contiguous().unwrap();
    assert_eq!(distance(&vae.decode(&row(latents)).unwrap(), &row(&decoded)), 0.0);
    let (together, _) = vae.encode(pixels).unwrap();
    assert_eq!(distance(&vae.encode(&row(pixels)).unwrap().0, &row(&together)), 0.0);
}

#[test]
fn unsupported_configurations_are_refused() {
    let check = |key: &'static str, value: Value, expected: &str| {
        let error = load(&[(key, value)]).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("_class_name", json!("AutoencoderKLWan"), "`_class_name` is \"AutoencoderKLWan\"");
    check("input_channels", json!(4), "`input_channels` is 4");
    check("attn_scales", json!([0.5]), "`attn_scales` is [0.5]");
    check("temperal_downsample", json!([true]), "Supported: a list of 3, one fewer than dim_mult has");
    check(
        "latents_mean",
        json!([0.0]),
        "`latents_mean` is [0.0], which is not supported. Supported: a list of 16",
    );
    check("latents_std", json!(vec![0.0; 16]), "numbers above 0");
    check("num_res_blocks", json!(2), "encoder.down_blocks.1.norm1.gamma");
}
