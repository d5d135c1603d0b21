//! Z-Image: single files, stored weights. Its pictures are checked in `flow.rs`.

use crate::cases::{cell, fixtures, render};
use crate::composed::composed;
use crate::flow_cases::{FlowCase, cases_in};
use crate::stored::{Stored, comfyui};
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Device, Tensor};
use maquette_core::{Backend, Cell, Dialect, Scheduler, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};
use std::fs::File;

fn cases() -> Vec<FlowCase> {
    cases_in("z-image/cases.json")
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
            "turbo.safetensors is the transformer of Z-Image alone. Add beside it: qwen_3_4b.safetensors, \
             qwen_3_4b_fp8_mixed.safetensors or Qwen3-4B-*.gguf (in split_files/text_encoders of Comfy-Org/z_image_turbo), ae.safetensors (in split_files/vae of \
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
        let whole = render(&mut case.engine(DeviceName::Cpu).1, std::slice::from_ref(&cell))
            .remove(&cell.id)
            .unwrap();
        assert!(whole.is_ok());
        assert_eq!(picture, whole);
    }
}

/// Weights of fewer bits give the pictures of the values that they stand for.
#[test]
fn weights_of_fewer_bits_give_the_pictures_of_their_values() {
    let cell = cases().remove(1).cell();
    let mut pictures = Vec::new();
    for stored in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::BF16].map(Stored::gguf) {
        let [quantised, values] = stored.pictures(DeviceName::Cpu, &cell);
        assert_eq!(quantised, values);
        pictures.push(quantised);
    }
    assert_ne!(pictures[0], pictures[1]);
    let [packed, values] = Stored::scaled_float8().pictures(DeviceName::Cpu, &cell);
    assert_eq!(packed, values);
}

#[test]
fn a_gguf_file_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.gguf");
    let tensor = Tensor::zeros((32, 32), DType::F32, &Device::Cpu).unwrap();
    let tensor = QTensor::quantize(&tensor, GgmlDType::Q8_0).unwrap();
    gguf_file::write(&mut File::create(&file).unwrap(), &[], &[("blk.0.attn_q.weight", &tensor)]).unwrap();
    let error = ModelSource::at(&file).unwrap_err().to_string();
    assert!(error.contains("other.gguf is a file of an unknown architecture. Models in GGUF are"), "{error}");
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
        let (_model, mut engine) = cases()[0].engine(DeviceName::Cpu);
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
    let (_model, mut engine) = case.engine(DeviceName::Cpu);
    let rendered = render(&mut engine, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert_eq!(pictures[0], pictures[1]);
    assert!(pictures[2] != pictures[0] && pictures[3] != pictures[0] && pictures[2] != pictures[3]);
}
