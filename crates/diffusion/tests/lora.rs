//! LoRAs against diffusers with peft: the results of the text encoder and the UNet; and LoRAs that do not fit.
//!
//! Whole pictures are in `engine/added.rs`. The fixtures are in `tests/fixtures/lora`.

mod distance;
#[path = "copies/float8.rs"]
mod float8;

use candle_core::{DType, Device, Tensor};
use distance::{distance, values};
use maquette_core::{Digest, Lora, NamedFile};
use maquette_diffusion::{ModelSource, StableDiffusion};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    prompt: String,
    loras: Vec<(String, f64)>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn load(name: &str, dtype: DType) -> StableDiffusion {
    StableDiffusion::load(&ModelSource::Folder(fixture(name)), &Device::Cpu, dtype).unwrap()
}

fn lora(file: &Path, weight: f64) -> Lora {
    let digest = Digest::of(&std::fs::read(file).unwrap_or_default());
    let path = file.display().to_string().into();
    Lora::new(NamedFile { path, file: file.into(), digest }, weight)
}

fn loras(of: &[(String, f64)]) -> Vec<Lora> {
    of.iter().map(|(file, weight)| lora(&fixture("lora").join(file), *weight)).collect()
}

fn cases() -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let text = std::fs::read_to_string(fixture("lora/cases.json")).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

fn tensors(file: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(file), &Device::Cpu).unwrap()
}

/// The noise that a model predicts for the fixtures' inputs.
fn noise_pred(model: &StableDiffusion, name: &str, expected: &HashMap<String, Tensor>) -> Tensor {
    let timesteps: Vec<f32> = expected[&format!("{name}.timesteps")].to_vec1().unwrap();
    let (latents, text) = (&expected[&format!("{name}.latents")], &expected[&format!("{name}.text")]);
    model.unet.forward(latents, &timesteps, text).unwrap()
}

fn embedding(model: &StableDiffusion) -> Tensor {
    let prompt = "a portrait of a bearded man, by Vincent van Gogh";
    let ids = model.tokenizer.encode(prompt).unwrap().ids;
    model.text_encoder.encode(&ids, 0).unwrap().squeeze(0).unwrap().narrow(0, 0, 16).unwrap()
}

#[test]
fn every_naming_matches_diffusers() {
    let expected = tensors("lora/expected.safetensors");
    for name in ["tiny-a", "tiny-b"] {
        // One model for all of its LoRAs, set one after another.
        let mut model = load(name, DType::F32);
        let before = (values(&embedding(&model)), values(&noise_pred(&model, name, &expected)));
        for case in cases().iter().filter(|case| case.model == name) {
            model.set_loras(&loras(&case.loras)).unwrap();
            let far = |key: &str, found: &Tensor| distance(found, &expected[&format!("{}.{key}", case.name)]);
            let noise = far("noise_pred", &noise_pred(&model, name, &expected));
            let text = far("embeddings", &embedding(&model));
            assert!(noise < 2e-5 && text < 2e-5, "{}: {noise}, {text} ({})", case.name, case.prompt);
        }
        model.set_loras(&[]).unwrap();
        let after = (values(&embedding(&model)), values(&noise_pred(&model, name, &expected)));
        assert!(before == after, "{name}: without LoRAs the result has changed");
    }
}

#[test]
fn a_convolution_with_three_factors() {
    let expected = tensors("lora/expected.safetensors");
    let mut model = load("tiny-a", DType::F32);
    model.set_loras(&[lora(&fixture("lora/tucker.safetensors"), 1.0)]).unwrap();
    let found = noise_pred(&model, "tiny-a", &expected);
    assert!(distance(&found, &expected["tucker.noise_pred"]) < 2e-5);
}

#[test]
fn weights_of_zero_and_earlier_loras_have_no_effect() {
    let expected = tensors("lora/expected.safetensors");
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let mut model = load("tiny-a", dtype);
        let kohya = |weight| lora(&fixture("lora/kohya.safetensors"), weight);
        let mut compute = |loras: &[Lora]| {
            model.set_loras(loras).unwrap();
            values(&noise_pred(&model, "tiny-a", &expected))
        };
        let (none, half) = (compute(&[]), compute(&[kohya(0.5)]));
        assert_ne!(none, half);
        assert_eq!(compute(&[kohya(0.0)]), none);
        compute(&[kohya(3.0), lora(&fixture("lora/locon.safetensors"), 1.0)]);
        assert_eq!(compute(&[kohya(0.5)]), half);
        assert_eq!(compute(&[]), none);
    }
}

/// A copy of a fixture with its tensors changed.
fn changed(folder: &Path, file: &str, change: impl FnOnce(&mut HashMap<String, Tensor>)) -> PathBuf {
    let mut content = tensors(&format!("lora/{file}"));
    change(&mut content);
    let path = folder.join("changed.safetensors");
    candle_core::safetensors::save(&content, &path).unwrap();
    path
}

const TO_Q: &str = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";

#[test]
fn files_that_do_not_fit_are_errors_and_do_not_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let expected = tensors("lora/expected.safetensors");
    let mut model = load("tiny-a", DType::F32);
    let before = values(&noise_pred(&model, "tiny-a", &expected));
    let mut check = |file: &Path, parts: &[&str]| {
        // Starting from a model with another LoRA.
        model.set_loras(&[lora(&fixture("lora/locon.safetensors"), 1.0)]).unwrap();
        let error = model.set_loras(&[lora(file, 1.0)]).unwrap_err();
        let cause = std::error::Error::source(&error).map_or(String::new(), ToString::to_string);
        let message = format!("{error} {cause}");
        for part in parts.iter().chain([&&*file.display().to_string()]) {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert_eq!(values(&noise_pred(&model, "tiny-a", &expected)), before, "{message}");
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let copy = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let path = changed(folder.path(), "kohya.safetensors", change);
        // The same name each time: the cached content of the last one must not be used.
        path
    };

    let stray = copy(&|all| drop(all.insert("lora_unet_down_blocks_9_conv.alpha".to_owned(), zeros(&[]))));
    check(&stray, &["the model has no layer for the key `lora_unet_down_blocks_9_conv.alpha`"]);
    let odd = copy(&|all| drop(all.insert(format!("{TO_Q}.lora_C.weight"), zeros(&[1]))));
    check(&odd, &["no layer for the key", "lora_C.weight"]);
    let loha = copy(&|all| drop(all.insert(format!("{TO_Q}.hada_w1_a"), zeros(&[1]))));
    check(&loha, &["is a LoHa", "hada_w1_a", "not supported"]);
    let lokr = copy(&|all| drop(all.insert(format!("{TO_Q}.lokr_w1"), zeros(&[1]))));
    check(&lokr, &["is a LoKr"]);
    let dora = copy(&|all| drop(all.insert(format!("{TO_Q}.dora_scale"), zeros(&[1]))));
    check(&dora, &["is a DoRA"]);
    let half = copy(&|all| drop(all.remove(&format!("{TO_Q}.lora_up.weight"))));
    check(&half, &["lora_down.weight`, but no up"]);
    let wide = copy(&|all| drop(all.insert(format!("{TO_Q}.lora_down.weight"), zeros(&[3, 9]))));
    check(&wide, &["has the shape [3, 9]", "requires [3, 8]"]);
    let rank = copy(&|all| drop(all.insert(format!("{TO_Q}.lora_up.weight"), zeros(&[8, 5]))));
    check(&rank, &["lora_down.weight` has the shape [3, 8]", "requires [5, 8]"]);
    let nan = copy(&|all| {
        let nan = (zeros(&[3, 8]) / 0.0).unwrap();
        all.insert(format!("{TO_Q}.lora_down.weight"), nan);
    });
    check(&nan, &[TO_Q, "NaN"]);
    let empty = copy(&HashMap::clear);
    check(&empty, &["contains no LoRA tensors"]);

    // For another model: recognised by the width of its text embeddings, or by its header.
    check(
        &fixture("lora/peft.safetensors"),
        &["for another model", "text embeddings of width 40", "have width 32"],
    );
    let sdxl = copy(&|all| {
        all.clear();
        let key = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight";
        all.insert(key.to_owned(), zeros(&[4, 2048]));
    });
    check(&sdxl, &["no layer for the key", "text embeddings of width 2048 (SDXL)"]);

    let whole = std::fs::read(fixture("lora/kohya.safetensors")).unwrap();
    let cut = folder.path().join("cut.safetensors");
    std::fs::write(&cut, &whole[..whole.len() - 100]).unwrap();
    check(&cut, &["not a valid safetensors file"]);
    check(&folder.path().join("nowhere.safetensors"), &["cannot be read"]);
}

#[test]
fn the_header_of_a_file_names_its_model() {
    let mut model = load("tiny-b", DType::F32);
    let error = model.set_loras(&[lora(&fixture("lora/kohya.safetensors"), 1.0)]).unwrap_err().to_string();
    assert!(error.contains("text embeddings of width 32"), "{error}");
    let error = model.set_loras(&[lora(&fixture("lora/locon.safetensors"), 1.0)]).unwrap_err().to_string();
    assert!(error.contains("has the shape") || error.contains("no layer"), "{error}");
}

/// Factors in 8-bit floats give what the same values in f32 give, an alpha among them: candle's own conversion to f64
/// does not end.
#[test]
fn factors_in_8_bits() {
    use safetensors::Dtype::{F8_E4M3, F8_E5M2};
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut model = load("tiny-a", DType::F32);
        let expected = tensors("lora/expected.safetensors");
        for dtype in [F8_E4M3, F8_E5M2] {
            let folder = tempfile::tempdir().unwrap();
            let [found, expected] = [false, true].map(|widened| {
                let file = folder.path().join(format!("{widened}.safetensors"));
                std::fs::copy(fixture("lora/kohya.safetensors"), &file).unwrap();
                float8::cast_to_float8(&file, dtype, widened);
                model.set_loras(&[lora(&file, 0.8)]).unwrap();
                values(&noise_pred(&model, "tiny-a", &expected))
            });
            assert_eq!(found, expected, "{dtype}");
        }
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(std::time::Duration::from_secs(300)).expect("it does not end, or it failed");
}
