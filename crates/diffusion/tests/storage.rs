//! How weights are stored: shards, variants, dtypes; and the size that a model's configuration gives.

use candle_core::{DType, Device, Tensor};
use maquette_diffusion::{ModelSource, StableDiffusion, card, files};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

#[path = "copies/folder.rs"]
mod folder;
use folder::copy_folder;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn tiny() -> tempfile::TempDir {
    let model = tempfile::tempdir().unwrap();
    copy_folder(&fixture("tiny-a"), model.path());
    model
}

fn load(model: &Path) -> StableDiffusion {
    StableDiffusion::load(&ModelSource::Folder(model.to_owned()), &Device::Cpu, DType::F32).unwrap()
}

/// A few numbers from each part.
fn values(model: &StableDiffusion) -> Vec<f32> {
    let ids = model.tokenizer.encode("a portrait").unwrap().ids;
    let text = model.text_encoder.encode(&ids, 0).unwrap();
    let latents = Tensor::ones((1, 4, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let noise = model.unet.forward(&latents, &[300.0], &text).unwrap();
    let pixels = model.vae.decode(&latents).unwrap();
    let numbers = [text, noise, pixels].map(|it| it.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    numbers.concat()
}

/// Replaces the weight file of a part.
fn store(model: &Path, file: &str, dtype: DType, write: impl FnOnce(HashMap<String, Tensor>)) {
    let path = model.join(file);
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for tensor in tensors.values_mut().filter(|tensor| tensor.dtype().is_float()) {
        *tensor = tensor.to_dtype(dtype).unwrap();
    }
    std::fs::remove_file(path).unwrap();
    write(tensors);
}

const PARTS: [&str; 3] = [
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
];

/// Shards under the names that diffusers and transformers give them give the same model as one file.
#[test]
fn shards_are_one_model() {
    let indices: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_slice(&std::fs::read(fixture("readings/shards.json")).unwrap()).unwrap();
    for (fp16, dtype) in [(false, DType::F32), (true, DType::F16)] {
        let (whole, sharded) = (tiny(), tiny());
        let mut count = 0;
        for file in PARTS {
            store(whole.path(), file, dtype, |tensors| {
                candle_core::safetensors::save(&tensors, whole.path().join(file)).unwrap();
            });
            let folder = file.split('/').next().unwrap();
            let of_part =
                |(name, _): &(&String, _)| name.starts_with(folder) && name.contains("fp16") == fp16;
            let Some((index, map)) = indices.iter().find(of_part) else {
                std::fs::copy(whole.path().join(file), sharded.path().join(file)).unwrap();
                continue;
            };
            store(sharded.path(), file, dtype, |tensors| {
                let mut shards: BTreeMap<String, HashMap<String, Tensor>> = BTreeMap::new();
                for (k, (key, tensor)) in tensors.into_iter().enumerate() {
                    // The file has older names than diffusers writes; any shard will do for those.
                    let shard = map.get(&key).unwrap_or_else(|| map.values().nth(k % map.len()).unwrap());
                    shards.entry(shard.clone()).or_default().insert(key, tensor);
                }
                count += shards.len();
                let map: BTreeMap<&String, &String> = shards
                    .iter()
                    .flat_map(|(file, tensors)| tensors.keys().map(move |key| (key, file)))
                    .collect();
                let text = serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
                std::fs::write(sharded.path().join(index), text).unwrap();
                for (name, tensors) in &shards {
                    candle_core::safetensors::save(tensors, sharded.path().join(folder).join(name)).unwrap();
                }
            });
        }
        assert!(count > 4, "{count}");
        assert_eq!(values(&load(sharded.path())), values(&load(whole.path())));
        let source = ModelSource::Folder(sharded.path().to_owned());
        let read = files(&source);
        assert!(read.len() > count && read.iter().any(|file| file.to_string_lossy().contains(".index")));
        // The autoencoder alone.
        let with_vae = ModelSource::Folder(fixture("tiny-a")).with_vae(sharded.path()).unwrap();
        StableDiffusion::load(&with_vae, &Device::Cpu, DType::F32).unwrap();
        // A shard that is missing is named, by the plan.
        let shard = read.into_iter().find(|file| file.to_string_lossy().contains("-00002-of-")).unwrap();
        std::fs::remove_file(&shard).unwrap();
        let message = card(&source).unwrap_err().to_string();
        assert!(message.contains(&*shard.file_name().unwrap().to_string_lossy()), "{message}");
    }
}

#[test]
fn an_index_names_files_beside_it() {
    let model = tiny();
    let unet = model.path().join("unet");
    std::fs::remove_file(model.path().join(PARTS[0])).unwrap();
    let source = ModelSource::Folder(model.path().to_owned());
    for map in [r#"{"a": "../vae/diffusion_pytorch_model.safetensors"}"#, "{}", "[]", r#"{"a": "shard.bin"}"#]
    {
        let text = format!(r#"{{"weight_map": {map}}}"#);
        std::fs::write(unet.join("diffusion_pytorch_model.safetensors.index.json"), text).unwrap();
        let message = card(&source).unwrap_err().to_string();
        assert!(
            message.contains("`weight_map`") && message.contains(".safetensors file for each"),
            "{message}"
        );
    }
}

#[test]
fn variants_of_half_precision_are_used_by_name() {
    for (variant, dtype) in [("fp16", DType::F16), ("bf16", DType::BF16)] {
        let (named, plain) = (tiny(), tiny());
        for file in PARTS {
            let path = named.path().join(file).with_extension(format!("{variant}.safetensors"));
            store(named.path(), file, dtype, |tensors| {
                candle_core::safetensors::save(&tensors, &path).unwrap();
            });
            store(plain.path(), file, dtype, |tensors| {
                candle_core::safetensors::save(&tensors, plain.path().join(file)).unwrap();
            });
        }
        assert_eq!(values(&load(named.path())), values(&load(plain.path())), "{variant}");
    }
    // Other variants are other weights.
    let model = tiny();
    let unet = model.path().join(PARTS[0]);
    std::fs::rename(&unet, unet.with_extension("non_ema.safetensors")).unwrap();
    let message = card(&ModelSource::Folder(model.path().to_owned())).unwrap_err().to_string();
    assert!(message.contains("diffusion_pytorch_model.non_ema.safetensors is another variant"), "{message}");
}

#[test]
fn other_dtypes_are_named() {
    let model = tiny();
    store(model.path(), PARTS[0], DType::F32, |mut tensors| {
        let key = "conv_in.weight";
        let codes = Tensor::zeros(tensors[key].dims(), DType::U8, &Device::Cpu).unwrap();
        tensors.insert(key.to_owned(), codes);
        candle_core::safetensors::save(&tensors, model.path().join(PARTS[0])).unwrap();
    });
    let source = ModelSource::Folder(model.path().to_owned());
    let expected = "tensor `conv_in.weight` has the dtype U8, which is not supported. Supported: F64, F32, F16, BF16, \
                    F8_E4M3, F8_E5M2.";
    for message in [
        card(&source).unwrap_err().to_string(),
        StableDiffusion::load(&source, &Device::Cpu, DType::F32).err().unwrap().to_string(),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

/// Configurations of the UNet from before diffusers 0.9 have a wrong size.
#[test]
fn sizes_match_diffusers() {
    #[derive(serde::Deserialize)]
    struct Size {
        version: Option<String>,
        size: u32,
        expected: u32,
    }
    let sizes: Vec<Size> =
        serde_json::from_slice(&std::fs::read(fixture("readings/sizes.json")).unwrap()).unwrap();
    let model = tiny();
    let file = model.path().join("unet/config.json");
    for Size { version, size, expected } in sizes {
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        config["_diffusers_version"] = serde_json::json!(version);
        config["sample_size"] = size.into();
        std::fs::write(&file, config.to_string()).unwrap();
        let found = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
        assert_eq!(found.size.0, expected * found.multiple_of, "{version:?} {size}");
    }
}
