//! Broken models: every error names the file and what is expected.

mod copies;

use candle_core::{DType, Device};
use copies::{change_tensors, copy_folder};
use maquette_diffusion::{ModelError, ModelSource, StableDiffusion, card};
use std::path::Path;

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Copies a tiny model, lets `change` break the copy, and returns the error of loading it, with its causes.
fn error_after(name: &str, change: impl FnOnce(&Path)) -> String {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&original, copy.path());
    change(copy.path());
    let Err(error) =
        StableDiffusion::load(&ModelSource::Folder(copy.path().to_owned()), &Device::Cpu, DType::F32)
    else {
        panic!("a broken model was loaded")
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
        .replace(&format!("{}/", copy.path().display()), "")
        .replace(&copy.path().display().to_string(), "FOLDER")
}

fn change_config(file: &Path, key: &str, value: serde_json::Value) {
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(file, config.to_string()).unwrap();
}

fn check(found: &str, expected: &str) {
    assert_eq!(found, expected);
}

#[test]
fn a_file_is_missing() {
    check(
        &error_after("tiny-a", |folder| std::fs::remove_file(folder.join("vae/config.json")).unwrap()),
        "FOLDER has no vae/config.json.",
    );
    check(
        &error_after("tiny-a", |folder| std::fs::remove_file(folder.join("tokenizer/merges.txt")).unwrap()),
        "FOLDER has no tokenizer/merges.txt.",
    );
}

#[test]
fn there_is_no_model() {
    check(
        &error_after("tiny-a", |folder| std::fs::remove_dir_all(folder).unwrap()),
        "FOLDER has no scheduler/scheduler_config.json. There is no such folder.",
    );
    let empty = ModelSource::Folder(tempfile::tempdir().unwrap().keep());
    assert!(
        matches!(card(&empty), Err(ModelError::Missing { hint, .. }) if hint.contains("model_index.json"))
    );
}

#[test]
fn there_is_only_a_pickle() {
    let message = error_after("tiny-a", |folder| {
        std::fs::rename(folder.join(UNET), folder.join("unet/diffusion_pytorch_model.bin")).unwrap();
    });
    check(
        &message,
        "FOLDER has no unet/diffusion_pytorch_model.safetensors or \
         unet/diffusion_pytorch_model.fp16.safetensors or unet/diffusion_pytorch_model.bf16.safetensors. Its unet/diffusion_pytorch_model.bin is a Python pickle, which \
         can run code and is not supported. Use the model's safetensors files, or write them with diffusers: \
         `StableDiffusionPipeline.from_pretrained(folder).save_pretrained(folder)`.",
    );
}

#[test]
fn a_weight_file_is_truncated() {
    let cut = |length: usize| {
        error_after("tiny-a", |folder| {
            let bytes = std::fs::read(folder.join(UNET)).unwrap();
            std::fs::write(folder.join(UNET), &bytes[..length]).unwrap();
        })
    };
    let whole = std::fs::metadata(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-a").join(UNET),
    );
    let whole = whole.unwrap().len();
    let file = format!("{UNET} is not a valid safetensors file");
    check(&cut(100_000), &format!("{file}: its header declares {whole} bytes, but the file has 100000."));
    assert!(cut(1000).starts_with(&format!("{file}: its header declares ")));
    check(&cut(5), &format!("{file}: it has 5 bytes, fewer than a header."));
    check(&cut(0), &format!("{file}: it has 0 bytes, fewer than a header."));
}

#[test]
fn a_weight_file_is_something_else() {
    let message = error_after("tiny-a", |folder| std::fs::write(folder.join(UNET), [b'{'; 5000]).unwrap());
    assert!(message.starts_with(&format!("{UNET} is not a valid safetensors file: ")), "{message}");
}

#[test]
fn a_tensor_is_missing() {
    check(
        &error_after("tiny-a", |folder| {
            change_tensors(&folder.join(UNET), |tensors| {
                drop(tensors.remove("mid_block.resnets.1.conv2.bias"));
            });
        }),
        "unet/diffusion_pytorch_model.safetensors has no tensor `mid_block.resnets.1.conv2.bias`, which \
         unet/config.json requires.",
    );
}

#[test]
fn a_tensor_has_the_wrong_shape() {
    check(
        &error_after("tiny-a", |folder| {
            change_tensors(&folder.join(UNET), |tensors| {
                let narrow = tensors["conv_out.weight"].narrow(1, 0, 3).unwrap().contiguous().unwrap();
                tensors.insert("conv_out.weight".to_owned(), narrow);
            });
        }),
        "unet/diffusion_pytorch_model.safetensors: tensor `conv_out.weight` has the shape [4, 3, 3, 3], but \
         unet/config.json requires [4, 8, 3, 3].",
    );
}

#[test]
fn a_configuration_is_not_json() {
    check(
        &error_after("tiny-b", |folder| {
            std::fs::write(folder.join("unet/config.json"), "{\"a\": 1").unwrap();
        }),
        "unet/config.json cannot be parsed: EOF while parsing an object at line 1 column 7",
    );
}

#[test]
fn a_configuration_is_not_supported() {
    use serde_json::json;
    let with = |file: &str, key: &str, value: serde_json::Value| {
        error_after("tiny-b", |folder| change_config(&folder.join(file), key, value))
    };
    for (file, key, value, expected) in [
        (
            "unet/config.json",
            "addition_embed_type",
            json!("image"),
            "unet/config.json: `addition_embed_type` is \"image\", which is not supported. \
             Supported: \"text_time\" or absent.",
        ),
        (
            "unet/config.json",
            "resnet_time_scale_shift",
            json!("scale_shift"),
            "unet/config.json: `resnet_time_scale_shift` is \"scale_shift\", which is not supported. \
             Supported: \"default\" or absent.",
        ),
        (
            "unet/config.json",
            "attention_head_dim",
            json!([1, 5, 2]),
            "unet/config.json: `attention_head_dim` is [1,5,2], which is not supported. \
             Supported: a divisor of the blocks' widths [10, 12, 20].",
        ),
        (
            "unet/config.json",
            "down_block_types",
            json!(["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"]),
            "unet/config.json: `down_block_types` is [\"DownBlock2D\",\"AttnDownBlock2D\",\"DownBlock2D\"], which is \
             not supported. Supported: a list of 3, each one of DownBlock2D, CrossAttnDownBlock2D.",
        ),
        (
            "unet/config.json",
            "cross_attention_dim",
            json!(0),
            "unet/config.json: `cross_attention_dim` is 0, which is not supported. \
             Supported: a whole number from 1 to 1000000.",
        ),
        (
            "vae/config.json",
            "norm_num_groups",
            json!(2),
            "vae/config.json: `norm_num_groups` is 2, which is not supported. \
             Supported: a divisor of every width in [6, 9, 12].",
        ),
        (
            "text_encoder/config.json",
            "hidden_act",
            json!("relu"),
            "text_encoder/config.json: `hidden_act` is \"relu\", which is not supported. \
             Supported: \"quick_gelu\" or \"gelu\".",
        ),
        (
            "vae/config.json",
            "scaling_factor",
            json!(null),
            "vae/config.json: `scaling_factor` is null, which is not supported. Supported: a number.",
        ),
    ] {
        check(&with(file, key, value), expected);
    }
}

#[test]
fn a_configuration_does_not_fit_the_weights() {
    let message = error_after("tiny-b", |folder| {
        change_config(
            &folder.join("unet/config.json"),
            "block_out_channels",
            serde_json::json!([10, 16, 20]),
        );
    });
    assert!(message.contains("tensor `down_blocks.1.") && message.contains("[16"), "{message}");
}

#[test]
fn a_tokenizer_does_not_fit_the_text_encoder() {
    let message = error_after("tiny-a", |folder| {
        let file = folder.join("tokenizer/vocab.json");
        change_config(&file, "<|endoftext|>", serde_json::json!(600));
    });
    check(
        &message,
        "tokenizer/vocab.json: its token `<|endoftext|>` has the id 600, but the text encoder's vocabulary has 600 \
         words.",
    );
}

#[test]
fn half_precision_files_are_a_fallback() {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-a");
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&original, copy.path());
    let source = ModelSource::Folder(copy.path().to_owned());
    let before = card(&source).unwrap();
    for file in [UNET, "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"] {
        let whole = copy.path().join(file);
        let mut tensors = candle_core::safetensors::load(&whole, &Device::Cpu).unwrap();
        for tensor in tensors.values_mut().filter(|tensor| tensor.dtype() == DType::F32) {
            *tensor = tensor.to_dtype(DType::F16).unwrap();
        }
        candle_core::safetensors::save(&tensors, whole.with_extension("fp16.safetensors")).unwrap();
        std::fs::remove_file(whole).unwrap();
    }
    assert_ne!(card(&source).unwrap().fingerprint, before.fingerprint);
    StableDiffusion::load(&source, &Device::Cpu, DType::F32).unwrap();
}
