//! Anima: negative prompts, LoRAs. Its pictures are checked in `flow.rs`.

use crate::cases::{difference, fixtures, render};
use crate::checkpoint::by_recipe;
use crate::flow_cases::{FlowCase, cases_in};
use crate::flow_checks::{HANDFUL, forms_of_a_lora_agree, negative_prompts_and_the_scale_act, with_lora};
use maquette_core::{Backend, Scheduler};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("anima/cases.json")
}

/// LoRAs change the layers that encode prompts, too.
#[test]
fn prompts_are_encoded_ahead_with_their_loras() {
    let case = with_lora("anima/cases.json");
    let (cells, rendered) = forms_of_a_lora_agree(&case);
    let (_model, mut engine) = case.engine(DeviceName::Cpu);
    engine.expect(&mut cells.iter().cloned());
    assert!(render(&mut engine, &cells) == rendered);
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
    negative_prompts_and_the_scale_act(&cases()[0]);
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
