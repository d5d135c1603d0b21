//! LoRAs against diffusers with peft: the results of the text encoder and the UNet; and LoRAs that do not fit.
//!
//! Whole pictures are in `engine/added.rs`. The fixtures are in `tests/fixtures/lora` and `tests/fixtures/adapters`.

mod distance;
#[path = "copies/float8.rs"]
mod float8;

use candle_core::{DType, Device, Tensor};
use distance::{distance, values};
use maquette_core::{Dialect, Digest, Lora, NamedFile};
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
    let oft = copy(&|all| drop(all.insert(format!("{TO_Q}.oft_blocks"), zeros(&[1]))));
    check(&oft, &["oft_blocks", "part of an OFT", "not supported"]);
    let loha = copy(&|all| drop(all.insert(format!("{TO_Q}.hada_w1_a"), zeros(&[1]))));
    check(&loha, &["hada_w1_a", "changes of different kinds"]);
    let norm = copy(&|all| {
        let key = "lora_unet_mid_block_resnets_0_norm1.lora_down.weight";
        all.insert(key.to_owned(), zeros(&[3, 9]));
        all.insert(key.replace("down", "up"), zeros(&[3, 9]));
    });
    check(&norm, &["mid_block.resnets.0.norm1 is a norm"]);
    let table = copy(&|all| {
        drop(all.insert("lora_te_text_model_embeddings_token_embedding.diff".to_owned(), zeros(&[1])));
    });
    check(&table, &["a change of an embedding table"]);
    let bias = copy(&|all| drop(all.insert(format!("{TO_Q}.diff_b"), zeros(&[8]))));
    check(&bias, &["has no bias"]);
    let kron = copy(&|all| {
        let stem = "lora_unet_down_blocks_0_resnets_0_conv2";
        all.insert(format!("{stem}.lokr_w1"), zeros(&[3, 2]));
        all.insert(format!("{stem}.lokr_w2"), zeros(&[4, 4, 3, 3]));
    });
    check(&kron, &["does not divide the layer's shape"]);
    let lokr = copy(&|all| drop(all.insert("lora_unet_conv_out.lokr_w1".to_owned(), zeros(&[1, 1]))));
    check(&lokr, &["lokr_w1`, but no `lokr_w2`"]);
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

/// The kinds and forms of `adapters/`, each against lycoris-lora or peft.
#[test]
fn every_kind_matches_its_reference() {
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        file: String,
        weight: f64,
        text_weight: Option<f64>,
    }
    #[derive(Deserialize)]
    struct File {
        model: String,
        cases: Vec<Entry>,
    }
    let text = std::fs::read_to_string(fixture("adapters/cases.json")).unwrap();
    let File { model: name, cases } = serde_json::from_str(&text).unwrap();
    let (inputs, expected) = (tensors("lora/expected.safetensors"), tensors("adapters/expected.safetensors"));
    let mut model = load(&name, DType::F32);
    let before = (values(&embedding(&model)), values(&noise_pred(&model, &name, &inputs)));
    let mut wrong = Vec::new();
    for case in &cases {
        let path = fixture("adapters").join(&case.file);
        maquette_diffusion::check_lora(&path).unwrap();
        let digest = maquette_diffusion::lora_digest(&path).unwrap();
        let file = NamedFile { path: case.file.as_str().into(), file: path.into(), digest };
        let text_weight = case.text_weight.unwrap_or(case.weight);
        model.set_loras(&[Lora { text_weight, ..Lora::new(file, case.weight) }]).unwrap();
        let found = [("noise_pred", noise_pred(&model, &name, &inputs)), ("embeddings", embedding(&model))];
        for (key, found) in found {
            // LyCORIS' cases do not change the text encoder.
            let expected = match expected.get(&format!("{}.{key}", case.name)) {
                None if key == "embeddings" => continue,
                expected => expected.unwrap(),
            };
            let far = distance(&found, expected);
            if far.is_nan() || far > 3e-5 {
                wrong.push(format!("{} {key}: {far}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    model.set_loras(&[]).unwrap();
    let after = (values(&embedding(&model)), values(&noise_pred(&model, &name, &inputs)));
    assert!(before == after, "without LoRAs the result has changed");
}

#[test]
fn embeddings_in_a_lora_are_words() {
    let mut model = load("tiny-a", DType::F32);
    let words = |model: &mut StableDiffusion| -> Vec<(String, Vec<f32>)> {
        let inversions = model.inversions(&[], Dialect::Plain).unwrap();
        let tokens = model.tokenizer.encode_with("a charturner", &inversions).unwrap();
        let found = inversions.vectors(0).map(values);
        vec![(format!("{:?}", tokens.ids.len()), found.unwrap_or_default())]
    };
    let without = words(&mut model);
    model.set_loras(&[lora(&fixture("adapters/bundle.safetensors"), 1.0)]).unwrap();
    let expected = &tensors("adapters/bundle.safetensors")["bundle_emb.charturner.string_to_param.*"];
    assert_eq!(words(&mut model)[0].1, values(expected));
    model.set_loras(&[]).unwrap();
    assert_eq!(words(&mut model), without);
}

#[test]
fn an_adapter_of_peft_needs_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter_model.safetensors");
    std::fs::copy(fixture("adapters/peft-lora/adapter_model.safetensors"), &file).unwrap();
    let check = |path: &Path, part: &str| {
        let error = maquette_diffusion::check_lora(path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(&file, "no adapter_config.json beside it");
    check(folder.path(), "no adapter_config.json beside it");
    let config = folder.path().join("adapter_config.json");
    let write = |text: &str| std::fs::write(&config, text).unwrap();
    write("{\"peft_type\": \"LORA\", \"lora_alpha\": 3}");
    maquette_diffusion::check_lora(folder.path()).unwrap();
    let one = maquette_diffusion::lora_digest(&file).unwrap();
    write("{\"peft_type\": \"LORA\", \"lora_alpha\": 4}");
    assert_ne!(maquette_diffusion::lora_digest(&file).unwrap(), one, "alpha is part of the content");
    write("{\"peft_type\": \"OFT\"}");
    check(&file, "`peft_type` is `\"OFT\"`; allowed: LORA, LOHA, LOKR");
    std::fs::remove_file(&file).unwrap();
    check(folder.path(), "is a folder without a LoRA");
}
