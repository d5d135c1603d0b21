//! Each part of a tiny model against diffusers and transformers (`tests/fixtures/zimage.py`).

use super::*;
use crate::families::family::Family;
use crate::families::parts;
use crate::families::test_values::{self, distance, fixture, texts, tiny};
use crate::image::posterior::Posterior;
use crate::models::unet::depth::Depth;
use candle_core::Device;
use maquette_core::{Digest, Lora, NamedFile, Settings, test_plans};
use std::collections::HashMap;
use std::path::Path;

fn model() -> ZImage {
    let (source, options) = tiny("tiny-z-image");
    ZImage::load_with(&source, &options).unwrap()
}

fn values() -> HashMap<String, Tensor> {
    test_values::values("z-image")
}

#[test]
fn prompts_match_transformers() {
    let (model, values) = (model(), values());
    let [none, man, long] = texts();
    for (k, text) in [&none, &man, &long, "  CAFE\u{301} à la MODE… 東京 <|im_end|>"].into_iter().enumerate()
    {
        let tokens = model.text.tokenizer.encode(text, "").unwrap();
        let expected: Vec<i64> = values[&format!("text.{k}.input_ids")].to_vec1().unwrap();
        assert!(tokens.ids.iter().map(|&id| i64::from(id)).eq(expected), "text {k}");
        assert_eq!(tokens.cut.is_some(), k == 2);
        let found = model.text.prompt(text, 0, &mut |_| ()).unwrap().sequence.squeeze(0).unwrap();
        let every = if k == 2 { 8 } else { 1 };
        let rows: Vec<u32> = (0..found.dim(0).unwrap() as u32).step_by(every).collect();
        let found = found.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
        let off = distance(&found, &values[&format!("text.{k}.embeddings")]);
        assert!(off < 1e-4, "text {k}: {off}");
    }
    let cut = model.text.tokenizer.encode(&long, "").unwrap().cut.unwrap();
    assert!(long.ends_with(&cut.text) && cut.text.len() < long.len(), "{cut:?}");
    assert!(cut.room < 512 && cut.tokens > cut.room && cut.length == 512, "{cut:?}");
}

/// Rows with their own times and captions; a caption with as many tokens as are not filled up, and shorter and longer ones.
#[test]
fn the_transformer_matches_diffusers() {
    let (model, values) = (model(), values());
    let (latents, expected) = (&values["latents"], &values["out"]);
    let times: Vec<f32> = values["times"].to_vec1().unwrap();
    for (k, &time) in times.iter().enumerate() {
        let caption = values[&format!("caption.{k}")].unsqueeze(0).unwrap();
        let row = latents.narrow(0, k, 1).unwrap();
        let found = model
            .transformer
            .forward(&[Inputs { latents: &row, times: vec![time], captions: vec![&caption] }])
            .unwrap()
            .remove(0);
        let off = distance(&found, &expected.narrow(0, k, 1).unwrap());
        assert!(off < 1e-4, "row {k}: {off}");
    }
}

#[test]
fn the_autoencoder_matches_diffusers() {
    let (model, values) = (model(), values());
    let (mean, _) = model.vae.encode(&values["vae.pixels"]).unwrap();
    assert!(distance(&mean, &values["vae.mean"]) < 1e-4);
    assert!(distance(&model.vae.decode(&mean).unwrap(), &values["vae.decoded"]) < 1e-4);
    // What is stored is shifted and scaled, there and back.
    let posterior = Posterior { logvar: None, ..parts::encode(&model.vae, &values["vae.pixels"]).unwrap() };
    let stored = posterior.latents(|| unreachable!()).unwrap();
    assert!(distance(&model.decode(&stored).unwrap(), &values["vae.decoded"]) < 1e-4);
}

#[test]
fn parts_must_match_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let check = |part: &str, key: &str, value: serde_json::Value, expected: &str| {
        let source = fixture("tiny-z-image");
        for entry in ["text_encoder/config.json", "transformer/config.json", "vae/config.json"] {
            let mut config: serde_json::Value =
                serde_json::from_slice(&std::fs::read(source.join(entry)).unwrap()).unwrap();
            if entry.starts_with(part) {
                config[key] = value.clone();
            }
            let path = folder.path().join(entry);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, config.to_string()).unwrap();
        }
        let source = ModelSource::Folder(folder.path().to_owned());
        let error = ZImage::card(&source, || unreachable!()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        "text_encoder",
        "hidden_size",
        32.into(),
        "`cap_feat_dim` is 24, which is not supported. Supported: 32",
    );
    check("vae", "latent_channels", 8.into(), "`in_channels` is 16");
    check("transformer", "siglip_feat_dim", 1152.into(), "`siglip_feat_dim` is 1152");
    check("transformer", "n_heads", 4.into(), "`axes_dims` is [4,6,6]");
}

/// The settings of a cell with this prompt, and a LoRA that changes the text encoder if `lora` is given.
fn settings(prompt: &str, lora: Option<&Path>) -> Settings {
    let lora = lora.map(|file| {
        let digest = Digest::of(&std::fs::read(file).unwrap());
        let file = NamedFile { path: "text.safetensors".into(), file: file.into(), digest };
        Lora { file, weight: 1.0, text_weight: 1.0 }
    });
    let cell = test_plans::cell();
    Settings { prompt: prompt.into(), lora: lora.into_iter().collect(), ..cell.settings }
}

/// A LoRA of one layer of the text encoder.
fn text_lora(folder: &Path) -> std::path::PathBuf {
    let factor = |shape: (usize, usize)| {
        let values: Vec<f32> = (0..shape.0 * shape.1).map(|at| (at as f32 * 0.7).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let name = "text_encoder.model.layers.0.mlp.gate_proj";
    let tensors = HashMap::from([
        (format!("{name}.lora_A.weight"), factor((2, 24))),
        (format!("{name}.lora_B.weight"), factor((40, 2))),
    ]);
    let file = folder.join("text.safetensors");
    candle_core::safetensors::save(&tensors, &file).unwrap();
    file
}

fn encoded(model: &mut ZImage, settings: &Settings) -> Vec<f32> {
    model.set_loras(&settings.lora).unwrap();
    let conditioning = model.conditioning(settings, &mut Vec::new()).unwrap();
    let prompt = conditioning.at(settings.scheduler, 0, false).next().unwrap();
    prompt.sequence.flatten_all().unwrap().to_vec1().unwrap()
}

fn predicted(model: &ZImage) -> Vec<f32> {
    let (values, device) = (values(), &Device::Cpu);
    let sequence = values["caption.0"].unsqueeze(0).unwrap();
    let prompt = EncodedPrompt { sequence, pooled: None };
    let rows = Rows {
        latents: values["latents"].narrow(0, 0, 1).unwrap().to_device(device).unwrap(),
        timesteps: vec![700.0],
        guidance_scales: vec![1.0],
        prompts: vec![&prompt],
        depth: Depth::Whole,
        size: (32, 32),
        control: None,
        image: None,
    };
    model.predict(&rows).unwrap().rows.flatten_all().unwrap().to_vec1().unwrap()
}

/// Whether the weights of the text encoder and of the transformer are in memory.
fn in_memory(model: &ZImage) -> [bool; 2] {
    [model.text_weights.is_loaded(), model.transformer_weights.is_loaded()]
}

#[test]
fn the_text_encoder_is_dropped_before_the_transformer_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let lora = text_lora(folder.path());
    let cells = [settings("a cat", None), settings("a dog", None), settings("a dog", Some(&lora))];
    let alone: Vec<Vec<f32>> = cells.iter().map(|cell| encoded(&mut model(), cell)).collect();
    assert!(alone[0] != alone[1] && alone[1] != alone[2]);

    let mut model = model();
    assert_eq!(in_memory(&model), [false, false]);
    for cell in &cells {
        model.set_loras(&cell.lora).unwrap();
        assert!(model.encode_ahead(cell).unwrap());
        assert_eq!(in_memory(&model), [true, false]);
    }
    let latents = predicted(&model);
    assert_eq!(in_memory(&model), [false, true]);
    // From the cache, also of the LoRA that is no longer active.
    for (cell, alone) in cells.iter().zip(&alone) {
        assert_eq!(&encoded(&mut model, cell), alone);
    }
    // A prompt that was not expected is encoded while the transformer stays.
    let late = settings("a late bird", None);
    let late_with_lora = settings("a late bird", Some(&lora));
    assert_eq!(encoded(&mut model, &late), encoded(&mut self::model(), &late));
    assert_eq!(encoded(&mut model, &late_with_lora), encoded(&mut self::model(), &late_with_lora));
    assert_eq!(in_memory(&model), [false, true]);
    assert_eq!(predicted(&model), latents);
    assert_eq!(predicted(&self::model()), latents);
}

/// What fits stays, the rest is read for each call; the results are those of a model in memory.
#[test]
fn weights_that_fit_stay_in_memory() {
    let expected = predicted(&model());
    let all = model().transformer_weights.size_to_load();
    let mut sizes = Vec::new();
    // A layer of the time is most of the tiny model.
    for room in [0, all / 6 * 5, all - 1, all] {
        let model = model();
        model.transformer_weights.load_within(room).unwrap();
        let left = || model.transformer_weights.size_outside();
        sizes.push(left());
        assert!(all - left() <= room);
        assert_eq!(predicted(&model), expected, "{room} of {all} bytes");
        assert_eq!(Some(&left()), sizes.last(), "what was read for the call is dropped");
    }
    assert!(sizes[0] == all && sizes.is_sorted_by(|a, b| a > b) && sizes[3] == 0, "{sizes:?}");
    // A CPU does not say how much memory is free.
    let (source, options) = tiny("tiny-z-image");
    let options = options.offloaded(0);
    let model = ZImage::load_with(&source, &options).unwrap();
    assert_eq!(predicted(&model), expected);
    assert_eq!((model.transformer_weights.size_outside(), model.size_to_load()), (all, 0));
}

/// A warning about a prompt that is encoded ahead belongs to its picture.
#[test]
fn warnings_of_prompts_that_are_encoded_ahead_are_kept() {
    let long = settings(&"the starry garden of monstera leaves ".repeat(16), None);
    let mut model = model();
    assert!(model.encode_ahead(&long).unwrap());
    let mut warnings = Vec::new();
    model.conditioning(&settings("a cat", None), &mut warnings).unwrap();
    assert_eq!(warnings.len(), 0);
    model.conditioning(&long, &mut warnings).unwrap();
    model.conditioning(&long, &mut warnings).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}
