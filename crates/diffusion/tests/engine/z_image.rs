//! Z-Image: whole pictures against diffusers, and rows that do not affect each other.

use crate::cases::{cell, difference, fixtures, render};
use crate::composed::composed;
use crate::flow_cases::{FlowCase, HANDFUL, cases_in, pictures_match, rows_are_independent};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Device, Tensor};
use maquette_core::{Backend, Cell, Dialect, Image, Scheduler, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};
use std::collections::HashMap;
use std::path::Path;

fn cases() -> Vec<FlowCase> {
    cases_in("z-image/cases.json")
}

#[test]
fn pictures_match_diffusers() {
    pictures_match(&cases());
}

/// Captions of different lengths, with and without guidance, reference picture and mask.
#[test]
fn rows_do_not_affect_each_other() {
    rows_are_independent(cases());
}

/// Names of diffusers, kohya's trainer and ComfyUI.
#[test]
fn every_form_of_a_lora_gives_the_same_picture() {
    let case = cases().into_iter().find(|case| case.lora.is_some()).unwrap();
    let cells = ["lora-diffusers", "lora-kohya", "lora-comfyui"].map(|file| case.cell_with(file));
    let without = cell(Settings { lora: Vec::new(), ..cells[0].settings.clone() });
    let (_model, mut engine) = case.engine();
    let rendered = render(&mut engine, &[&cells[..], std::slice::from_ref(&without)].concat());
    for one in &cells {
        let found = difference(rendered[&one.id].as_ref().unwrap(), &case.case.expected());
        assert!(found.largest <= 1 && found.count <= HANDFUL, "{found:?}");
    }
    assert_ne!(rendered[&without.id], rendered[&cells[0].id]);
}

/// The name of a tensor in the original code; queries, keys and values are one tensor there.
fn original(name: &str) -> String {
    name.replace("all_final_layer.2-1.", "final_layer.")
        .replace("all_x_embedder.2-1.", "x_embedder.")
        .replace("attention.to_out.0.", "attention.out.")
        .replace("attention.norm_k.", "attention.k_norm.")
        .replace("attention.norm_q.", "attention.q_norm.")
}

/// The transformer's tensors as ComfyUI's file has them.
fn comfyui(prefix: &str) -> HashMap<String, Tensor> {
    let mut tensors = HashMap::new();
    for shard in ["1", "2"] {
        let name =
            format!("tiny-z-image/transformer/diffusion_pytorch_model-0000{shard}-of-00002.safetensors");
        tensors.extend(candle_core::safetensors::load(fixtures().join(name), &Device::Cpu).unwrap());
    }
    let mut renamed = HashMap::new();
    for (name, tensor) in &tensors {
        if let Some(stem) = name.strip_suffix("to_q.weight") {
            let parts = ["to_q", "to_k", "to_v"].map(|part| &tensors[&format!("{stem}{part}.weight")]);
            renamed.insert(format!("{prefix}{stem}qkv.weight"), Tensor::cat(&parts, 0).unwrap());
        } else if !name.contains(".to_k.") && !name.contains(".to_v.") {
            renamed.insert(format!("{prefix}{}", original(name)), tensor.clone());
        }
    }
    renamed
}

#[test]
fn a_transformer_alone_is_completed_by_the_files_beside_it() {
    let case = cases().remove(0);
    let (cell, tiny) = (case.cell(), fixtures().join("tiny-z-image"));
    for prefix in ["", "model.diffusion_model."] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("turbo.safetensors");
        candle_core::safetensors::save(&comfyui(prefix), &file).unwrap();
        let error = ModelSource::at(&file).unwrap_err().to_string();
        assert_eq!(
            error.replace(&format!("{}/", folder.path().display()), ""),
            "turbo.safetensors is the transformer of Z-Image alone. Add beside it: qwen_3_4b.safetensors (in \
             split_files/text_encoders of Comfy-Org/z_image_turbo), ae.safetensors (in split_files/vae of \
             Comfy-Org/z_image_turbo), tokenizer.json (in tokenizer of Tongyi-MAI/Z-Image-Turbo)."
        );
        let copy = |from: &str, to: &str| {
            let to = folder.path().join(to);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(tiny.join(from), to).unwrap();
        };
        copy("text_encoder/model.safetensors", "text_encoders/qwen_3_4b.safetensors");
        copy("tokenizer/tokenizer.json", "tokenizer.json");
        // The shape of the published autoencoder is assumed, so that a tiny one is a part in diffusers' layout.
        copy("vae/config.json", "turbo/vae/config.json");
        copy("vae/diffusion_pytorch_model.safetensors", "turbo/vae/diffusion_pytorch_model.safetensors");
        assert_eq!(card(&ModelSource::at(&file).unwrap()).unwrap().shift, Some(3.0));
        let find = move |_: &str| ModelSource::at(&file).map_err(Into::into);
        let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
        let picture = render(&mut engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap();
        let whole = render(&mut case.engine().1, std::slice::from_ref(&cell)).remove(&cell.id).unwrap();
        assert!(whole.is_ok());
        assert_eq!(picture, whole);
    }
}

/// A picture of ComfyUI's file of the transformer with these files beside it.
fn picture_of(file: &Path, cell: &Cell) -> Result<Image, String> {
    let (folder, tiny) = (file.parent().unwrap(), fixtures().join("tiny-z-image"));
    let copy = |from: &str, to: &Path| {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(tiny.join(from), to).unwrap();
    };
    copy("text_encoder/model.safetensors", &folder.join("qwen_3_4b.safetensors"));
    copy("tokenizer/tokenizer.json", &folder.join("tokenizer.json"));
    for name in ["config.json", "diffusion_pytorch_model.safetensors"] {
        let part = format!("vae/{name}");
        copy(&part, &file.with_extension("").join(&part));
    }
    let path = file.to_owned();
    let find = move |_: &str| ModelSource::at(&path).map_err(Into::into);
    let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
    render(&mut engine, std::slice::from_ref(cell)).remove(&cell.id).unwrap()
}

/// Quantised weights give the picture of their dequantised values.
#[test]
fn gguf_files_give_the_pictures_of_their_dequantised_values() {
    let cell = cases().remove(1).cell();
    let mut pictures = Vec::new();
    for dtype in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::BF16] {
        let folder = tempfile::tempdir().unwrap();
        let (mut quantised, mut dequantised) = (Vec::new(), HashMap::new());
        for (name, tensor) in comfyui("") {
            let tensor = tensor.to_dtype(DType::F32).unwrap();
            let has_blocks = tensor.rank() == 2 && tensor.dim(1).unwrap().is_multiple_of(32);
            let tensor = QTensor::quantize(&tensor, if has_blocks { dtype } else { GgmlDType::F32 }).unwrap();
            dequantised.insert(name.clone(), tensor.dequantize(&Device::Cpu).unwrap());
            quantised.push((name, tensor));
        }
        let named: Vec<_> = quantised.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let (gguf, whole) = (folder.path().join("turbo.gguf"), folder.path().join("whole.safetensors"));
        gguf_file::write(&mut std::fs::File::create(&gguf).unwrap(), &[], &named).unwrap();
        candle_core::safetensors::save(&dequantised, &whole).unwrap();
        let picture = picture_of(&gguf, &cell).unwrap();
        assert_eq!(picture, picture_of(&whole, &cell).unwrap(), "{dtype:?}");
        pictures.push(picture);
        // Not a transformer that is known.
        let first = &named[..1];
        gguf_file::write(&mut std::fs::File::create(&gguf).unwrap(), &[], first).unwrap();
        let error = ModelSource::at(&gguf).unwrap_err().to_string();
        assert!(error.contains("supported in GGUF: Z-Image's"), "{error}");
    }
    assert_ne!(pictures[0], pictures[1]);
}

/// ComfyUI's 8-bit floats with a scale for each weight give the picture of the values that they stand for.
#[test]
fn scaled_float8_gives_the_picture_of_the_values() {
    let (cell, folder) = (cases().remove(1).cell(), tempfile::tempdir().unwrap());
    let (mut packed, mut values) = (HashMap::new(), HashMap::new());
    for (name, tensor) in comfyui("") {
        let tensor = tensor.to_dtype(DType::F32).unwrap();
        let Some(stem) = name.strip_suffix("weight").filter(|_| tensor.rank() == 2) else {
            packed.insert(name.clone(), tensor.clone());
            values.insert(name, tensor);
            continue;
        };
        let scale = 0.125_f32;
        let small = (&tensor / f64::from(scale)).unwrap().to_dtype(DType::F8E4M3).unwrap();
        let wide = (small.to_dtype(DType::F32).unwrap() * f64::from(scale)).unwrap();
        packed.insert(format!("{stem}scale_weight"), Tensor::new(&[scale], &Device::Cpu).unwrap());
        packed.insert(name.clone(), small);
        values.insert(name, wide);
    }
    packed.insert("scaled_fp8".to_owned(), Tensor::zeros(2, DType::F8E4M3, &Device::Cpu).unwrap());
    let [packed, values] = [("packed", packed), ("values", values)].map(|(name, tensors)| {
        let file = folder.path().join(format!("{name}.safetensors"));
        candle_core::safetensors::save(&tensors, &file).unwrap();
        picture_of(&file, &cell).unwrap()
    });
    assert_eq!(packed, values);
}

/// Pictures do not depend on which cells were announced, so that their prompts were encoded first.
#[test]
fn prompts_that_are_encoded_ahead_give_the_same_pictures() {
    let plain = cases().remove(1).cell().settings;
    let with = |prompt: &str, dialect| cell(Settings { prompt: prompt.into(), dialect, ..plain.clone() });
    let mut cells: Vec<_> = cases().iter().filter(|case| !case.dynamic).map(FlowCase::cell).collect();
    cells.push(with("a [cat:dog:2], by a lake AND a dog", Dialect::A1111));
    cells.push(with("a cat", Dialect::Plain));
    let pictures = |expected: &[Cell]| {
        let (_model, mut engine) = cases()[0].engine();
        engine.expect(&mut expected.iter().cloned());
        render(&mut engine, &cells)
    };
    let (none, all, some) = (pictures(&[]), pictures(&cells), pictures(&cells[3..]));
    assert!(none.values().all(Result::is_ok));
    assert!(none == all && none == some);
}

#[test]
fn a_card_has_the_models_defaults() {
    let model = composed(&["tiny-z-image"]);
    let one = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), Some(3.0)));
    assert_eq!((one.size, one.multiple_of), ((1024, 1024), 4));
    let dynamic = composed(&["tiny-z-image", "z-image/dynamic"]);
    assert_eq!(card(&ModelSource::Folder(dynamic.path().to_owned())).unwrap().shift, None);
}

/// `AND` and changes from step to step are those of the dialect; weights of words have no effect.
#[test]
fn the_dialect_has_an_effect_except_for_weights() {
    let case = cases().remove(1);
    let plain = case.cell().settings;
    let with = |prompt: &str, dialect| cell(Settings { prompt: prompt.into(), dialect, ..plain.clone() });
    let cells = [
        with("a cat, by a lake", Dialect::Plain),
        with("a (cat:1.4), by [a] lake", Dialect::A1111),
        with("a [cat:dog:2], by a lake", Dialect::A1111),
        with("a cat, by a lake AND a dog", Dialect::A1111),
    ];
    let (_model, mut engine) = case.engine();
    let rendered = render(&mut engine, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert_eq!(pictures[0], pictures[1]);
    assert!(pictures[2] != pictures[0] && pictures[3] != pictures[0] && pictures[2] != pictures[3]);
}
