//! Models that predict flow in single files, with the pictures of their folders.

use crate::cases::render;
use crate::checkpoint::{by_recipe, fixture};
use crate::flow_cases::{FlowCase, cases_in};
use crate::single_model::{ANIMA, FLUX1, FLUX2, MODELS, QWEN_IMAGE, SD3, SingleModel};
use crate::stored::{Stored, picture_of};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Device, Tensor, safetensors};
use maquette_core::{Cell, Image};
use maquette_diffusion::{DeviceName, ModelSource, card, model_notes};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

fn cases(model: &SingleModel) -> Vec<FlowCase> {
    cases_in(&format!("{}/cases.json", model.tiny.strip_prefix("tiny-").unwrap()))
}

/// A picture of a text, and one of a picture, with their cells and the folder.
fn expected(model: &SingleModel) -> Vec<(Cell, Image)> {
    let cases = cases(model);
    let chosen = ["text", "picture"].map(|name| cases.iter().find(|case| case.case.name == name).unwrap());
    let rendered = chosen.map(|case| {
        let cell = case.cell();
        let image = render(&mut case.engine(DeviceName::Cpu).1, std::slice::from_ref(&cell));
        (cell.clone(), image[&cell.id].clone().unwrap())
    });
    rendered.into()
}

fn check(model: &SingleModel, file: &Path) {
    for (cell, image) in expected(model) {
        let found = picture_of(file, DeviceName::Cpu, &cell).unwrap();
        assert!(found == image, "{}: {}", model.tiny, file.display());
    }
}

#[test]
fn a_transformer_and_the_files_beside_it_give_the_pictures_of_the_folder() {
    for model in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        safetensors::save(&model.tensors(), &file).unwrap();
        model.copy_parts(&file);
        check(&model, &file);
    }
}

#[test]
fn a_checkpoint_gives_the_pictures_of_the_folder() {
    for (model, of_vae) in
        MODELS.into_iter().zip(["vae.", "vae.", "first_stage_model.", "vae.", "first_stage_model.", "vae."])
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        safetensors::save(&model.checkpoint(of_vae), &file).unwrap();
        model.copy_stated(&file);
        model.copy_tokenizer(&file);
        check(&model, &file);
    }
}

/// Layers that are one tensor in the file, and halves that are swapped there, too.
#[test]
fn weights_of_fewer_bits_give_the_pictures_of_their_values() {
    for model in MODELS {
        let cell = cases(&model).remove(0).cell();
        let mut pictures = Vec::new();
        for dtype in [GgmlDType::Q8_0, GgmlDType::BF16] {
            let [quantised, values] =
                Stored::gguf_of(model.transformer(), dtype).pictures(DeviceName::Cpu, &cell);
            assert!(quantised == values, "{} {dtype:?}", model.tiny);
            pictures.push(quantised);
        }
        for ending in ["scale_weight", "weight_scale"] {
            let stored = Stored::scaled_float8_of(model.transformer(), ending);
            let [packed, values] = stored.pictures(DeviceName::Cpu, &cell);
            assert!(packed == values, "{} {ending}", model.tiny);
            pictures.push(packed);
        }
        assert!(pictures[0] != pictures[1] && pictures[2] == pictures[3] && pictures[1] != pictures[2]);
    }
}

/// A text encoder under llama.cpp's names.
fn write_gguf(recipe: &str, model: &SingleModel, architecture: &str, file: &Path) {
    let tensors: Vec<(String, QTensor)> = by_recipe(&format!("single_files/{recipe}.tsv"), model.tiny)
        .into_iter()
        .map(|(name, tensor)| {
            let dtype = if tensor.rank() == 2 { GgmlDType::F16 } else { GgmlDType::F32 };
            (name, QTensor::quantize(&tensor.to_dtype(DType::F32).unwrap(), dtype).unwrap())
        })
        .collect();
    let named: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let architecture = gguf_file::Value::String(architecture.to_owned());
    let metadata = [("general.architecture", &architecture)];
    gguf_file::write(&mut File::create(file).unwrap(), &metadata, &named).unwrap();
}

#[test]
fn text_encoders_in_gguf_give_the_pictures_of_the_folder() {
    let cases = [
        (FLUX1, "t5-gguf", "t5encoder", "clip/t5xxl_fp16.safetensors", "clip/t5-v1_1-xxl-encoder-f16.gguf"),
        (FLUX2, "qwen3-gguf", "qwen3", "qwen_3_4b.safetensors", "Qwen3-4B-F16.gguf"),
        (
            QWEN_IMAGE,
            "qwen2-5-vl-gguf",
            "qwen2vl",
            "text_encoders/qwen_2.5_vl_7b.safetensors",
            "text_encoders/Qwen2.5-VL-7B-Instruct-F16.gguf",
        ),
    ];
    for (model, recipe, architecture, published, gguf) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        safetensors::save(&model.tensors(), &file).unwrap();
        model.copy_parts(&file);
        std::fs::remove_file(folder.path().join(published)).unwrap();
        let gguf = folder.path().join(gguf);
        write_gguf(recipe, &model, architecture, &gguf);
        check(&model, &file);
        let error = ModelSource::at(&gguf).unwrap_err().to_string();
        assert!(error.contains(" is a text encoder, which is found by its name"), "{error}");
    }
}

#[test]
fn missing_files_are_listed() {
    let message = |model: &SingleModel, tensors: HashMap<String, Tensor>, copied: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        safetensors::save(&tensors, &file).unwrap();
        for name in copied {
            std::fs::copy(
                fixture(model.tiny).join("text_encoder/model.safetensors"),
                folder.path().join(name),
            )
            .unwrap();
        }
        let error = ModelSource::at(&file).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let t5 = "t5xxl_fp16.safetensors, t5xxl_fp8_e4m3fn_scaled.safetensors, t5xxl_fp8_e4m3fn.safetensors or \
              t5-v1_1-xxl-encoder-*.gguf (in comfyanonymous/flux_text_encoders, or as GGUF in \
              city96/t5-v1_1-xxl-encoder-gguf)";
    assert_eq!(
        message(&FLUX1, FLUX1.tensors(), &["clip_l.safetensors"]),
        format!(
            "model.safetensors is the transformer of FLUX.1 alone. Add beside it: {t5}, ae.safetensors (in \
             split_files/vae of Comfy-Org/z_image_turbo), t5_tokenizer.json (in tokenizer_2/tokenizer.json of \
             black-forest-labs/FLUX.1-schnell)."
        )
    );
    assert_eq!(
        message(&FLUX1, FLUX1.checkpoint("vae."), &[]),
        "model.safetensors is a checkpoint of FLUX.1 that lacks some parts. Add beside it: t5_tokenizer.json (in \
         tokenizer_2/tokenizer.json of black-forest-labs/FLUX.1-schnell)."
    );
    assert_eq!(
        message(&FLUX2, FLUX2.tensors(), &[]),
        "model.safetensors is the transformer of FLUX.2 klein alone. Add beside it: qwen_3_4b.safetensors, \
         qwen_3_4b_fp8_mixed.safetensors or Qwen3-4B-*.gguf (in split_files/text_encoders of Comfy-Org/z_image_turbo), flux2-vae.safetensors (in \
         split_files/vae of Comfy-Org/flux2-dev), tokenizer.json (in tokenizer of black-forest-labs/FLUX.2-klein-4B)."
    );
    assert_eq!(
        message(&ANIMA, ANIMA.tensors(), &["qwen_3_06b_base.safetensors"]),
        "model.safetensors is the transformer of Anima alone. Add beside it: qwen_image_vae.safetensors (in split_files of \
         circlestone-labs/Anima), tokenizer.json (in Qwen/Qwen3-0.6B-Base), t5_tokenizer.json (in \
         tokenizer_2/tokenizer.json of black-forest-labs/FLUX.1-schnell)."
    );
    let without_texts = SD3.checkpoint("first_stage_model.").into_iter();
    let without_texts = without_texts.filter(|(key, _)| !key.starts_with("text_encoders.")).collect();
    assert_eq!(
        message(&SD3, without_texts, &["clip_l.safetensors"]),
        "model.safetensors is a checkpoint of Stable Diffusion 3 that lacks some parts. Add beside it: \
         clip_g.safetensors (in text_encoders of Comfy-Org/stable-diffusion-3.5-fp8)."
    );
}

/// As in diffusers, Stable Diffusion 3 may be without T5; a note says so.
#[test]
fn t5_of_stable_diffusion_3_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    safetensors::save(&SD3.tensors(), &file).unwrap();
    SD3.copy_parts(&file);
    let notes = |file: &Path| {
        let notes = model_notes(&ModelSource::at(file).unwrap()).unwrap();
        notes.into_iter().map(|note| note.text).filter(|text| text.contains("T5")).collect::<Vec<_>>()
    };
    assert_eq!(notes(&file), Vec::<String>::new());
    let t5 = folder.path().join("text_encoders/t5xxl_fp16.safetensors");
    std::fs::remove_file(t5).unwrap();
    std::fs::remove_file(folder.path().join("t5_tokenizer.json")).unwrap();
    let found = notes(&file);
    assert!(found.len() == 1 && found[0].starts_with("there is no T5 beside the file, which is left out"));
    let case = cases(&SD3).into_iter().find(|case| case.without_t5).unwrap();
    let cell = case.cell();
    let whole = render(&mut case.engine(DeviceName::Cpu).1, std::slice::from_ref(&cell)).remove(&cell.id);
    assert_eq!(picture_of(&file, DeviceName::Cpu, &cell), whole.unwrap());
}

/// The file says nothing about it; its name does, unless there is an index.
#[test]
fn flux_2_is_distilled_unless_its_file_is_named_base() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, is_distilled: bool| {
        let file = folder.path().join(name);
        safetensors::save(&FLUX2.tensors(), &file).unwrap();
        FLUX2.copy_parts(&file);
        std::fs::remove_file(file.with_extension("").join("model_index.json")).unwrap();
        let source = ModelSource::at(&file).unwrap();
        assert_eq!(card(&source).unwrap().guidance_embedding, is_distilled, "{name}");
        let notes = model_notes(&source).unwrap();
        assert!(notes[0].text.contains("because the name of its file"), "{notes:?}");
    };
    check("flux-2-klein-4b.safetensors", true);
    check("flux-2-klein-base-4b.safetensors", false);
    check("rebased.safetensors", true);
}

#[test]
fn other_families_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let check = |model: &SingleModel, other: &str, expected: &str| {
        let file = folder.path().join("model.safetensors");
        let mut tensors = model.tensors();
        tensors.insert(other.to_owned(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        safetensors::save(&tensors, &file).unwrap();
        let error = ModelSource::at(&file).unwrap_err().to_string();
        assert!(error.contains(&format!("model: it looks like {expected}")), "{error}");
    };
    check(&FLUX1, "txt_in.individual_token_refiner.blocks.0.self_attn.qkv.weight", "HunyuanVideo");
    check(&FLUX2, "guidance_in.in_layer.weight", "FLUX.2-dev");
    check(&QWEN_IMAGE, "__index_timestep_zero__", "Qwen-Image-Edit");
    let file = folder.path().join("cosmos.safetensors");
    let mut tensors = ANIMA.tensors();
    tensors.retain(|key, _| !key.contains("llm_adapter."));
    safetensors::save(&tensors, &file).unwrap();
    let error = ModelSource::at(&file).unwrap_err().to_string();
    assert!(error.contains("it looks like Cosmos-Predict2, which is not supported"), "{error}");
    let file = folder.path().join("part.safetensors");
    let mut tensors = FLUX1.tensors();
    tensors.retain(|key, _| !key.starts_with("final_layer."));
    safetensors::save(&tensors, &file).unwrap();
    let error = ModelSource::at(&file).unwrap_err().to_string();
    assert!(error.contains("it looks like a part or a relative of FLUX"), "{error}");
}
