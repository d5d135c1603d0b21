//! The safety checker: diffusers' verdicts on whole runs, black pictures, and models without a checker.

use crate::cases::{engine, render, render_with_remarks};
use crate::checked_cases::{is_black, runs};
use crate::composed::{checked_model, engine_of};
use maquette_core::{Backend, Cell, Event, Settings};
use maquette_diffusion::DeviceName;
use std::ops::ControlFlow;

#[test]
fn verdicts_match_diffusers_and_flagged_pictures_are_black() {
    let model = checked_model();
    let mut engine = engine_of(DeviceName::Cpu, model.path());
    let (cells, expected): (Vec<Cell>, Vec<bool>) = runs().into_iter().unzip();
    let rendered = render_with_remarks(&mut engine, &cells);
    for (cell, expected) in cells.iter().zip(expected) {
        let (image, remarks) = &rendered[&cell.id];
        let (prompt, seed) = (&cell.settings.prompt, cell.settings.seed);
        assert_eq!(remarks.nsfw_content_detected, Some(expected), "{prompt} {seed}");
        assert_eq!(is_black(image.as_ref().unwrap()), expected);
    }
}

#[test]
fn pictures_are_checked_only_if_the_setting_is_on() {
    let model = checked_model();
    let mut engine = engine_of(DeviceName::Cpu, model.path());
    let free = |cell: &Cell| crate::cases::cell(Settings { safety_checker: false, ..cell.settings.clone() });
    let flagged = runs().into_iter().find(|(_, flagged)| *flagged).unwrap().0;
    let passed = runs().into_iter().find(|(_, flagged)| !flagged).unwrap().0;
    let cells = [free(&flagged), flagged, free(&passed), passed];
    let rendered = render_with_remarks(&mut engine, &cells);
    let found: Vec<Option<bool>> =
        cells.iter().map(|cell| rendered[&cell.id].1.nsfw_content_detected).collect();
    assert_eq!(found, [None, Some(true), None, Some(false)]);
    let picture = |at: usize| rendered[&cells[at].id].0.as_ref().unwrap();
    assert!(!is_black(picture(0)) && is_black(picture(1)));
    assert_eq!(picture(2), picture(3));
}

#[test]
fn a_flagged_picture_has_a_warning() {
    let model = checked_model();
    let flagged = runs().into_iter().find(|(_, flagged)| *flagged).unwrap().0;
    let mut warnings = Vec::new();
    let mut collect = |event| {
        if let Event::Warned { cell, warning } = event {
            warnings.push((cell, warning));
        }
        ControlFlow::Continue(())
    };
    engine_of(DeviceName::Cpu, model.path())
        .render(&mut [flagged.clone()].into_iter(), &mut collect)
        .unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].0, flagged.id);
    assert!(warnings[0].1.contains("safety checker"), "{warnings:?}");
}

#[test]
fn a_model_without_a_checker_is_an_error() {
    let (cell, _) = runs().remove(0);
    let rendered = render(&mut engine(DeviceName::Cpu, None), std::slice::from_ref(&cell));
    let error = rendered[&cell.id].as_ref().unwrap_err();
    assert!(error.contains("tiny-a") && error.contains("safety_checker/config.json"), "{error}");
}
