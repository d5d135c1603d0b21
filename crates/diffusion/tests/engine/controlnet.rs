//! Pictures that follow a ControlNet, against diffusers, and its guarantees.

use crate::cases::{
    Case, Difference, cases, cases_in, cell, controlnet, difference, engine, fixtures, named, render,
};
use crate::composed::{engine_of, inpainting_model};
use crate::copies::change_tensors;
use maquette_core::{Cell, Dialect, Image, Settings};
use maquette_diffusion::{DeviceName, Engine};

/// The same as for pictures without a ControlNet.
const HANDFUL: usize = 10;

fn controlled() -> Vec<Case> {
    cases_in("controlnet/cases.json")
}

fn settings_of(name: &str) -> Settings {
    controlled().into_iter().find(|case| case.name == name).unwrap().cell().settings
}

fn one(engine: &mut Engine, settings: Settings) -> Result<Image, String> {
    let cell = cell(settings);
    render(engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap()
}

#[test]
fn pictures_with_a_controlnet_match_diffusers() {
    let folder = inpainting_model();
    let mut inpainting = engine_of(DeviceName::Cpu, folder.path());
    let mut ordinary = engine(DeviceName::Cpu, None);
    let mut wrong = Vec::new();
    for case in controlled() {
        let engine = if case.name.starts_with("seeing") { &mut inpainting } else { &mut ordinary };
        match one(engine, case.cell().settings) {
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
            Ok(image) => {
                let difference = difference(&image, &case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > HANDFUL {
                    wrong.push(format!("{}: {difference:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_controlnet_without_a_step_or_at_scale_0_changes_nothing_to_the_bit() {
    let mut engine = engine(DeviceName::Cpu, None);
    for name in ["a-interval", "xl-picture"] {
        let settings = settings_of(name);
        let without = Settings {
            controlnet: None,
            control_image: None,
            controlnet_conditioning_scale: None,
            control_guidance_start: None,
            control_guidance_end: None,
            ..settings.clone()
        };
        let picture = one(&mut engine, without.clone()).unwrap();
        let zero = Settings { controlnet_conditioning_scale: Some(0.0), ..settings.clone() };
        let never = Settings {
            control_guidance_start: Some(1.0),
            control_guidance_end: Some(1.0),
            ..settings.clone()
        };
        for other in [zero, never] {
            assert_eq!(cell(other.clone()).id, cell(without.clone()).id, "{name}");
            assert_eq!(one(&mut engine, other).unwrap(), picture, "{name}");
        }
        assert_ne!(cell(settings.clone()).id, cell(without).id);
        assert_ne!(one(&mut engine, settings).unwrap(), picture, "{name}");
    }
}

#[test]
fn rows_with_and_without_a_controlnet_do_not_affect_each_other() {
    let composed =
        Settings { dialect: Dialect::A1111, prompt: "a cat AND a boat :0.7".into(), ..settings_of("a-half") };
    let cells: Vec<Cell> =
        controlled().iter().chain(&cases()).map(Case::cell).chain([cell(composed)]).collect();
    let of = |model: &str| -> Vec<Cell> {
        let is_it = |cell: &&Cell| &*cell.settings.model == model && cell.settings.height == 32;
        cells.iter().filter(is_it).cloned().collect()
    };
    for model in ["tiny-a", "tiny-sdxl"] {
        let cells = of(model);
        assert!(cells.iter().filter(|cell| cell.settings.controlnet.is_some()).count() > 2, "{model}");
        let alone = render(&mut engine(DeviceName::Cpu, Some(2)), &cells);
        assert!(alone.values().all(Result::is_ok));
        assert_eq!(render(&mut engine(DeviceName::Cpu, Some(64)), &cells), alone);
    }
}

/// A file alone is read with the configuration beside it; without one there is nothing that says how many heads a
/// network this small has.
#[test]
fn a_file_is_read_like_its_folder() {
    let mut engine = engine(DeviceName::Cpu, None);
    let settings = settings_of("a-ddim");
    let folder = one(&mut engine, settings.clone()).unwrap();
    let file = fixtures().join("controlnet/a/diffusion_pytorch_model.safetensors");
    let alone = Settings { controlnet: Some(controlnet(&file)), ..settings };
    assert_eq!(one(&mut engine, alone).unwrap(), folder);
}

#[test]
fn controlnets_that_cannot_be_used_fail_with_a_reason() {
    let mut engine = engine(DeviceName::Cpu, None);
    let settings = settings_of("a-ddim");
    let mut check = |controlnet, expected: &str| {
        let error = one(&mut engine, Settings { controlnet, ..settings.clone() }).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let xl = controlnet(&fixtures().join("controlnet/xl"));
    check(Some(xl), "cannot be used with the model tiny-a: it is for text embeddings of width 36");
    let smaller = controlnet(&fixtures().join("controlnet/seeing"));
    check(Some(smaller), "its features have the widths [8, 8, 8, 8], the model's [8, 8, 8, 8, 16, 16]");
    let text_encoder = named(&fixtures().join("tiny-a/text_encoder/model.safetensors"));
    check(Some(text_encoder), "is not a ControlNet");
    let folder = tempfile::tempdir().unwrap();
    crate::copies::copy_folder(&fixtures().join("controlnet/a"), folder.path());
    change_tensors(&folder.path().join("diffusion_pytorch_model.safetensors"), |tensors| {
        tensors.remove("controlnet_mid_block.bias");
    });
    check(Some(controlnet(folder.path())), "has no tensor `controlnet_mid_block.bias`");
}
