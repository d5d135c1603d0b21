//! Anima: whole pictures against diffusers, rows that do not affect each other, negative prompts, LoRAs.

use crate::cases::{cell, difference, fixtures, render};
use crate::checkpoint::by_recipe;
use crate::flow_cases::{FlowCase, cases_in};
use crate::flow_checks::{HANDFUL, pictures_match, rows_are_independent};
use maquette_core::{Backend, Cell, Scheduler, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("anima/cases.json")
}

#[test]
fn pictures_match_diffusers() {
    pictures_match(&cases());
}

/// With guidance and without it, reference picture, mask, LoRA.
#[test]
fn rows_do_not_affect_each_other() {
    rows_are_independent(cases());
}

/// Names of diffusers, kohya's trainer and ComfyUI, also of the layers that encode prompts.
#[test]
fn every_form_of_a_lora_gives_the_same_picture() {
    let case = cases().into_iter().find(|case| case.lora.is_some()).unwrap();
    let cells = ["lora-diffusers", "lora-kohya", "lora-comfyui"].map(|file| case.cell_with(file));
    let without = cell(Settings { lora: Vec::new(), ..cells[0].settings.clone() });
    let all = [&cells[..], std::slice::from_ref(&without)].concat();
    let pictures = |expected: &[Cell]| {
        let (_model, mut engine) = case.engine(DeviceName::Cpu);
        engine.expect(&mut expected.iter().cloned());
        render(&mut engine, &all)
    };
    let rendered = pictures(&[]);
    for one in &cells {
        let found = difference(rendered[&one.id].as_ref().unwrap(), &case.case.expected());
        assert!(found.largest <= 1 && found.count <= HANDFUL, "{found:?}");
    }
    assert_ne!(rendered[&without.id], rendered[&cells[0].id]);
    assert!(pictures(&all) == rendered, "prompts that are encoded ahead");
}

#[test]
fn a_card_has_the_pipelines_defaults() {
    let one = card(&ModelSource::Folder(fixtures().join("tiny-anima"))).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), Some(3.0)));
    assert_eq!((one.size, one.multiple_of, one.guidance_embedding), ((1024, 1024), 16, false));
    assert_eq!((one.steps, one.guidance_scale), (None, Some(4.0)));
}

#[test]
fn negative_prompts_and_the_scale_have_an_effect() {
    let plain = cases().remove(0).cell();
    let scale = cell(Settings { guidance_scale: 6.0, ..plain.settings.clone() });
    let negative = cell(Settings { negative_prompt: "ugly".into(), ..plain.settings.clone() });
    let cells = [plain, scale, negative];
    let rendered = render(&mut cases()[0].engine(DeviceName::Cpu).1, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert!(pictures[0] != pictures[1] && pictures[0] != pictures[2] && pictures[1] != pictures[2]);
}

/// ComfyUI's file of the autoencoder as `vae`, under the names of Wan's code.
#[test]
fn the_autoencoder_may_be_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qwen_image_vae.safetensors");
    let tensors = by_recipe("single_files/anima-vae.tsv", "tiny-anima");
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let case = cases().remove(0);
    let (cell, model) = (case.cell(), fixtures().join("tiny-anima"));
    let find = move |_: &str| ModelSource::Folder(model.clone()).with_vae(&file).map_err(Into::into);
    let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
    let found = render(&mut engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap().unwrap();
    let found = difference(&found, &case.case.expected());
    assert!(found.largest <= 1 && found.count <= HANDFUL, "{found:?}");
}

/// Autoencoders whose latents mean something else.
#[test]
fn autoencoders_of_other_families_are_refused() {
    let check = |model: &str, vae: &str, expected: &str| {
        let vae = fixtures().join(vae).join("vae");
        let source = ModelSource::Folder(fixtures().join(model)).with_vae(&vae).unwrap();
        let error = card(&source).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("tiny-anima", "tiny-z-image", "Supported: \"AutoencoderKLQwenImage\"");
    check("tiny-z-image", "tiny-anima", "Supported: \"AutoencoderKL\" or \"AutoencoderTiny\"");
}
