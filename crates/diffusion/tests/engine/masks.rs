//! Masked pictures against diffusers, and the guarantees of masks.

use crate::cases::{Case, Difference, cases, cases_in, cell, difference, engine};
use crate::cases::{named, render};
use crate::composed::{engine_of, inpainting_model};
use image::{GrayImage, Luma};
use maquette_core::{Cell, Image, NamedFile, Scheduler, Settings};
use maquette_diffusion::{DeviceName, Engine};
use std::path::Path;
use tempfile::TempDir;

/// The same as for pictures without a mask.
const HANDFUL: usize = 10;

fn masked() -> Vec<Case> {
    cases_in("masks/cases.json")
}

/// The inpainting model, whose folder must outlive the engine.
fn inpainting_engine() -> (TempDir, Engine) {
    let folder = inpainting_model();
    let engine = engine_of(DeviceName::Cpu, folder.path());
    (folder, engine)
}

fn one(engine: &mut Engine, settings: Settings) -> Image {
    let cell = cell(settings);
    render(engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap().unwrap()
}

/// A mask of one level, of the size of the fixtures' reference picture.
fn flat(folder: &Path, level: u8) -> Option<NamedFile> {
    let file = folder.join(format!("{level}.png"));
    GrayImage::from_pixel(48, 32, Luma([level])).save(&file).unwrap();
    Some(named(&file))
}

#[test]
fn masked_pictures_match_diffusers() {
    let (_folder, mut inpainting) = inpainting_engine();
    let mut ordinary = engine(DeviceName::Cpu, None);
    let mut wrong = Vec::new();
    for case in masked() {
        let cell = case.cell();
        let engine = if case.name.starts_with("seeing") { &mut inpainting } else { &mut ordinary };
        match &render(engine, std::slice::from_ref(&cell))[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
            Ok(image) => {
                let difference = difference(image, &case.expected());
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
fn a_black_mask_keeps_the_picture_for_all_settings() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = engine(DeviceName::Cpu, None);
    let kept = Settings { mask: flat(folder.path(), 0), ..masked()[0].cell().settings };
    let other = Settings {
        prompt: "boats in the harbour".into(),
        strength: Some(1.0),
        scheduler: Scheduler::Euler,
        eta: None,
        spacing: Scheduler::Euler.own_spacing(),
        guidance_scale: 3.0,
        ..kept.clone()
    };
    let free = Settings { mask: flat(folder.path(), 255), ..kept.clone() };
    let picture = one(&mut engine, kept.clone());
    assert_eq!(picture, one(&mut engine, other));
    assert_ne!(picture, one(&mut engine, free));
}

#[test]
fn an_even_grey_scales_the_strength_of_image_to_image() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = engine(DeviceName::Cpu, None);
    let plain = Settings { mask: None, steps: 10, ..masked()[0].cell().settings };
    for (strength, level, expected) in [(0.9, 153, 0.5), (0.8, 128, 0.4), (0.5, 255, 0.5), (0.6, 51, 0.1)] {
        let grey = Settings { mask: flat(folder.path(), level), strength: Some(strength), ..plain.clone() };
        let weaker = Settings { strength: Some(expected), ..plain.clone() };
        assert_eq!(one(&mut engine, grey), one(&mut engine, weaker), "{level} of {strength}");
    }
}

#[test]
fn without_a_mask_an_inpainting_model_repaints_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (_model, mut inpainting) = inpainting_engine();
    let case = masked().into_iter().find(|case| case.name == "seeing-ddim").unwrap();
    let settings = case.cell().settings;
    let white = Settings { mask: flat(folder.path(), 255), ..settings.clone() };
    let nothing = Settings { mask: None, ..settings.clone() };
    let picture = one(&mut inpainting, nothing);
    assert_eq!(picture, one(&mut inpainting, white));
    assert_ne!(picture, one(&mut inpainting, settings));
}

#[test]
fn masked_and_other_rows_share_calls_without_affecting_each_other() {
    let all = masked().into_iter().chain(cases());
    let cells: Vec<Cell> = all
        .map(|case| case.cell())
        .filter(|cell| {
            let settings = &cell.settings;
            &*settings.model == "tiny-a" && (settings.width, settings.height) == (48, 32)
        })
        .collect();
    let with_mask = cells.iter().filter(|cell| cell.settings.mask.is_some()).count();
    assert!(with_mask >= 4 && cells.len() - with_mask >= 4, "the fixtures no longer have enough cells");
    let alone = render(&mut engine(DeviceName::Cpu, Some(2)), &cells);
    assert_eq!(render(&mut engine(DeviceName::Cpu, Some(64)), &cells), alone);
}

#[test]
fn masks_that_cannot_be_used_fail_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let settings = masked()[0].cell().settings;
    let check = |engine: &mut Engine, settings: Settings, expected: &str| {
        let cell = cell(settings);
        let error = render(engine, std::slice::from_ref(&cell)).remove(&cell.id).unwrap().unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    let mut ordinary = engine(DeviceName::Cpu, None);
    let square = folder.path().join("square.png");
    GrayImage::new(40, 40).save(&square).unwrap();
    check(&mut ordinary, Settings { mask: Some(named(&square)), ..settings.clone() }, "has 40x40 pixels");
    let mut gone = named(&square);
    gone.file = Path::new("nowhere/mask.png").into();
    check(&mut ordinary, Settings { mask: Some(gone), ..settings.clone() }, "nowhere/mask.png");
    let (_model, mut inpainting) = inpainting_engine();
    let from_nothing = Settings { init_image: None, fit: None, strength: None, mask: None, ..settings };
    check(&mut inpainting, from_nothing, "is for inpainting; allowed: with `init_image`");
}
