//! The models against diffusers: torch's results with tiny models, in `tests/fixtures`.
//!
//! The tokenizer and broken models are tested in their own files.

mod distance;

use candle_core::{DType, Device, Tensor};
use distance::{distance, values};
use maquette_core::Scheduler;
use maquette_diffusion::{ModelSource, StableDiffusion, card};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const MODELS: [&str; 3] = ["tiny-a", "tiny-b", "tiny-sd2"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn source(name: &str) -> ModelSource {
    ModelSource::Folder(fixture(name))
}

fn load(name: &str, dtype: DType) -> StableDiffusion {
    StableDiffusion::load(&source(name), &Device::Cpu, dtype).unwrap()
}

fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(&format!("{name}.safetensors")), &Device::Cpu).unwrap()
}

#[test]
fn text_encoder() {
    for name in MODELS {
        let (model, reference) = (load(name, DType::F32), reference(name));
        for k in 0..6 {
            // The fixtures of tiny-sd2 have only some texts.
            let Some(ids) = reference.get(&format!("text.{k}.input_ids")) else {
                assert!(name == "tiny-sd2" && ![1, 2, 3].contains(&k));
                continue;
            };
            let ids: Vec<i64> = ids.to_vec1().unwrap();
            let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
            let found = model.text_encoder.encode(&ids, 0).unwrap().squeeze(0).unwrap();
            let expected = &reference[&format!("text.{k}.embeddings")];
            assert!(distance(&found, expected) < 1e-4, "{name}, text {k}");
            if let Some(expected) = reference.get(&format!("text.{k}.clip_skip_1")) {
                let found = model.text_encoder.encode(&ids, 1).unwrap().squeeze(0).unwrap();
                assert!(distance(&found, expected) < 1e-4, "{name}, text {k}, clip_skip 1");
            }
        }
        let layers = model.text_encoder.layers();
        assert!(model.text_encoder.encode(&[0; 77], layers).is_ok());
        assert!(model.text_encoder.encode(&[0; 77], layers + 1).is_err());
        assert!(model.text_encoder.encode(&[0; 78], 0).is_err());
        assert!(model.text_encoder.encode(&[u32::MAX; 77], 0).is_err());
    }
}

#[test]
fn unet() {
    for name in MODELS {
        let (model, reference) = (load(name, DType::F32), reference(name));
        let timesteps: Vec<f32> = reference["unet.timesteps"].to_vec1().unwrap();
        let found =
            model.unet.forward(&reference["unet.latents"], &timesteps, &reference["unet.text"]).unwrap();
        assert!(distance(&found, &reference["unet.noise_pred"]) < 1e-4, "{name}");
    }
}

/// A tiny autoencoder (`tests/fixtures/parts/taesd`), also beyond the range that it clamps latents to.
#[test]
fn tiny_vae() {
    let reference = reference("parts/taesd");
    let source = source("tiny-a").with_vae(&fixture("parts/taesd")).unwrap();
    let vae = StableDiffusion::load(&source, &Device::Cpu, DType::F32).unwrap().vae;
    assert_eq!((vae.factor(), vae.latent_channels, vae.scaling_factor), (2, 4, 1.0));
    let (latents, logvar) = vae.encode(&reference["pixels"]).unwrap();
    assert!(logvar.is_none());
    assert!(distance(&latents, &reference["latents"]) < 1e-4);
    for (latents, decoded) in [("latents", "decoded"), ("others", "others_decoded")] {
        assert!(distance(&vae.decode(&reference[latents]).unwrap(), &reference[decoded]) < 1e-4, "{latents}");
    }
}

#[test]
fn vae() {
    for name in ["tiny-a", "tiny-b"] {
        let (model, reference) = (load(name, DType::F32), reference(name));
        let (mean, logvar) = model.vae.encode(&reference["vae.pixels"]).unwrap();
        assert!(distance(&mean, &reference["vae.mean"]) < 1e-4, "{name}, mean");
        assert!(distance(&logvar.unwrap(), &reference["vae.logvar"]) < 1e-4, "{name}, logvar");
        // The reference decodes latents without dividing by the scaling factor.
        let decoded = model.vae.decode(&reference["vae.latents"]).unwrap();
        assert!(distance(&decoded, &reference["vae.decoded"]) < 1e-4, "{name}, decoded");
    }
}

#[test]
fn half_precision_is_close() {
    for name in MODELS {
        let reference = reference(name);
        let timesteps: Vec<f32> = reference["unet.timesteps"].to_vec1().unwrap();
        for (dtype, tolerance) in [(DType::F16, 0.02), (DType::BF16, 0.15)] {
            let model = load(name, dtype);
            let found =
                model.unet.forward(&reference["unet.latents"], &timesteps, &reference["unet.text"]).unwrap();
            let found = found.to_dtype(DType::F32).unwrap();
            let distance = distance(&found, &reference["unet.noise_pred"]);
            assert!(distance > 0.0 && distance < tolerance, "{name}, {dtype:?}: {distance}");
        }
    }
}

/// A row alone, with others, and with any number of threads: the same bits.
#[test]
fn rows_do_not_depend_on_other_rows_or_on_threads() {
    for name in ["tiny-a", "tiny-b"] {
        let (model, reference) = (load(name, DType::F32), reference(name));
        let timesteps: Vec<f32> = reference["unet.timesteps"].to_vec1().unwrap();
        let (latents, text) = (&reference["unet.latents"], &reference["unet.text"]);
        let unet = |rows: &[usize]| {
            let pick = |x: &Tensor| {
                let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
                x.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap()
            };
            let timesteps: Vec<f32> = rows.iter().map(|&row| timesteps[row]).collect();
            model.unet.forward(&pick(latents), &timesteps, &pick(text)).unwrap()
        };
        let decode = |rows: usize| {
            let latents = reference["vae.latents"].narrow(0, 0, rows).unwrap();
            model.vae.decode(&latents).unwrap()
        };
        let (in_batch, decoded) = (unet(&[2, 0, 1, 0, 2]), decode(2));
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                assert_eq!(values(&unet(&[2, 0, 1, 0, 2])), values(&in_batch), "{name}, {threads} threads");
                for (place, row) in [2, 0, 1, 0, 2].into_iter().enumerate() {
                    let row = unet(&[row]);
                    assert_eq!(
                        values(&row),
                        values(&in_batch.narrow(0, place, 1).unwrap()),
                        "{name}, {threads} threads"
                    );
                }
                assert_eq!(
                    values(&decode(1)),
                    values(&decoded.narrow(0, 0, 1).unwrap()),
                    "{name}, {threads} threads"
                );
            });
        }
    }
}

#[test]
fn latents_may_have_any_size() {
    let model = load("tiny-b", DType::F32);
    for (height, width) in [(7, 9), (1, 1), (5, 16)] {
        let latents = Tensor::ones((1, 4, height, width), DType::F32, &Device::Cpu).unwrap();
        let text = Tensor::zeros((1, 77, 40), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(model.unet.forward(&latents, &[7.5], &text).unwrap().dims(), [1, 4, height, width]);
    }
}

#[test]
fn cards() {
    let [a, b, sd2] = MODELS.map(|name| card(&source(name)).unwrap());
    assert_eq!((a.size, a.multiple_of, a.scheduler), ((32, 32), 2, Some(Scheduler::Pndm)));
    assert_eq!((b.size, b.multiple_of, b.scheduler), ((32, 32), 4, Some(Scheduler::Pndm)));
    assert_eq!((sd2.size, sd2.multiple_of, sd2.scheduler), ((32, 32), 2, Some(Scheduler::Pndm)));
    assert_ne!(a.fingerprint, b.fingerprint);
}

/// A model embedded in the program is the same as in its folder.
#[test]
fn an_embedded_model_is_the_same() {
    let files: Vec<(&'static str, &'static [u8])> = [
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    .into_iter()
    .map(|file| (file, &*std::fs::read(fixture("tiny-b").join(file)).unwrap().leak()))
    .collect();
    let bytes = ModelSource::Bytes(files.leak());
    assert_eq!(card(&bytes).unwrap(), card(&source("tiny-b")).unwrap());
    let model = StableDiffusion::load(&bytes, &Device::Cpu, DType::F32).unwrap();
    assert_eq!(
        model.tokenizer.encode("a hat").unwrap(),
        load("tiny-b", DType::F32).tokenizer.encode("a hat").unwrap()
    );
}
