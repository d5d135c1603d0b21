//! Stable Diffusion XL's parts against diffusers, and parts that must match each other.

mod distance;
#[path = "copies/folder.rs"]
mod folder;

use candle_core::{DType, Device, Tensor};
use distance::{distance, values};
use folder::copy_folder;
use maquette_diffusion::{Conditions, ModelSource, Sdxl, StableDiffusion, Vae};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn load(folder: &Path) -> Result<Sdxl, String> {
    let source = ModelSource::Folder(folder.to_owned());
    Sdxl::load(&source, &Device::Cpu, DType::F32)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.display()), ""))
}

fn reference() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture("tiny-sdxl.safetensors"), &Device::Cpu).unwrap()
}

#[test]
fn texts() {
    let (model, reference) = (load(&fixture("tiny-sdxl")).unwrap(), reference());
    let cases: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("cases.json")).unwrap()).unwrap();
    let [text_encoder, text_encoder_2] = &model.text_encoders;
    for k in [1, 2, 3] {
        let text = cases["texts"][k].as_str().unwrap();
        let ids = model.tokenizers.each_ref().map(|tokenizer| tokenizer.encode(text).unwrap().ids);
        for (ids, number) in ids.iter().zip([1, 2]) {
            let expected: Vec<i64> = reference[&format!("text.{k}.input_ids_{number}")].to_vec1().unwrap();
            assert!(ids.iter().map(|&id| i64::from(id)).eq(expected), "text {k}, tokenizer {number}");
        }
        let first = text_encoder.embed_with(&ids[0], None, 0).unwrap();
        let second = text_encoder_2.embed_with(&ids[1], None, 0).unwrap();
        assert!(first.pooled.is_none());
        let sequence = Tensor::cat(&[first.sequence, second.sequence], 2).unwrap().squeeze(0).unwrap();
        assert!(distance(&sequence, &reference[&format!("text.{k}.embeddings")]) < 1e-4, "text {k}");
        let pooled = second.pooled.unwrap().squeeze(0).unwrap();
        assert!(distance(&pooled, &reference[&format!("text.{k}.pooled")]) < 1e-4, "text {k}, pooled");
    }
    assert!(text_encoder_2.embed_with(&[0; 77], None, text_encoder_2.layers()).is_ok());
    assert!(text_encoder_2.embed_with(&[0; 77], None, text_encoder_2.layers() + 1).is_err());
}

#[test]
fn the_autoencoder_stays_in_f32_where_it_would_overflow() {
    let [wide, half] = [DType::F32, DType::F16].map(|dtype| {
        let source = ModelSource::Folder(fixture("tiny-sdxl"));
        Sdxl::load(&source, &Device::Cpu, dtype).unwrap()
    });
    let latents = &reference()["unet.latents"];
    let decoded = |vae: &Vae| values(&vae.decode(latents).unwrap());
    assert_eq!(decoded(&half.vae), decoded(&wide.vae), "its configuration says force_upcast");
    let other = ModelSource::Folder(fixture("tiny-a"));
    let [wide, half] =
        [DType::F32, DType::F16].map(|dtype| StableDiffusion::load(&other, &Device::Cpu, dtype).unwrap());
    assert_ne!(decoded(&half.vae), decoded(&wide.vae), "Stable Diffusion 1's is in f16");
}

#[test]
fn unet() {
    let (model, reference) = (load(&fixture("tiny-sdxl")).unwrap(), reference());
    let timesteps: Vec<f32> = reference["unet.timesteps"].to_vec1().unwrap();
    let sizes: Vec<[f32; 6]> = reference["unet.time_ids"]
        .to_vec2()
        .unwrap()
        .into_iter()
        .map(|row: Vec<f32>| row.try_into().unwrap())
        .collect();
    let (latents, text, pooled) =
        (&reference["unet.latents"], &reference["unet.text"], &reference["unet.pooled"]);
    let given = |added| Conditions { added: Some(added), ..Conditions::default() };
    let found = model.unet.forward_with(latents, &timesteps, text, &given((pooled, &sizes))).unwrap();
    assert!(distance(&found, &reference["unet.noise_pred"]) < 1e-4);
    // A row computed alone is the same to the bit.
    let row = |x: &Tensor| x.narrow(0, 1, 1).unwrap();
    let pooled_row = row(pooled);
    let alone = given((&pooled_row, &sizes[1..2]));
    let alone = model.unet.forward_with(&row(latents), &timesteps[1..2], &row(text), &alone);
    assert_eq!(values(&alone.unwrap()), values(&row(&found)));
    // Without sizes, or with too few of them, it is an error.
    assert!(model.unet.forward(latents, &timesteps, text).is_err());
    assert!(model.unet.forward_with(latents, &timesteps, text, &given((pooled, &sizes[..2]))).is_err());
    // As is a guidance scale, which this UNet does not take.
    let scales = Conditions { guidance_scales: Some(&[7.0; 3]), ..given((pooled, &sizes)) };
    assert!(model.unet.forward_with(latents, &timesteps, text, &scales).is_err());
}

#[test]
fn mismatched_parts_are_errors() {
    let after = |file: &str, key: &str, value: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&fixture("tiny-sdxl"), folder.path());
        let file = folder.path().join(file);
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        config[key] = value;
        std::fs::write(file, config.to_string()).unwrap();
        load(folder.path()).err().unwrap()
    };
    use serde_json::json;
    for (file, key, value, expected) in [
        (
            "unet/config.json",
            "addition_embed_type",
            json!("image"),
            "unet/config.json: `addition_embed_type` is \"image\", which is not supported. Supported: \"text_time\" or \
             absent.",
        ),
        (
            "unet/config.json",
            "addition_embed_type",
            json!(null),
            "unet/diffusion_pytorch_model.safetensors has a tensor `add_embedding.linear_1.bias` and 3 more like it that \
             unet/config.json does not include.",
        ),
        (
            "unet/config.json",
            "projection_class_embeddings_input_dim",
            json!(36),
            "unet/config.json: `projection_class_embeddings_input_dim` is 36, which is not supported. Supported: more \
             than six times addition_time_embed_dim, 36.",
        ),
        (
            "text_encoder_2/config.json",
            "projection_dim",
            json!(16),
            "text_encoder_2/model.safetensors: tensor `text_projection.weight` has the shape [12, 20], but \
             text_encoder_2/config.json requires [16, 20].",
        ),
    ] {
        assert_eq!(after(file, key, value), expected);
    }
}
