//! The safety checker: diffusers' verdicts on whole runs, black pictures, and models without a checker.

use crate::cases::{cases, cell, engine, fixtures, render, render_checked};
use crate::composed::{composed, engine_of};
use maquette_core::{Backend, Cell, Event, Image, Settings};
use maquette_diffusion::DeviceName;
use serde::Deserialize;
use std::ops::ControlFlow;

#[derive(Deserialize)]
struct Run {
    prompt: String,
    seed: u64,
    nsfw_content_detected: bool,
}

/// The runs of the fixture as cells, and whether diffusers flagged each one.
fn runs() -> Vec<(Cell, bool)> {
    #[derive(Deserialize)]
    struct File {
        runs: Vec<Run>,
    }
    let text = std::fs::read_to_string(fixtures().join("safety/cases.json")).unwrap();
    let plain = cases().into_iter().find(|case| case.name == "a-text-ddim").unwrap().cell().settings;
    let as_cell = |run: Run| {
        let settings = Settings {
            prompt: run.prompt.as_str().into(),
            seed: run.seed,
            steps: 2,
            guidance_scale: 1.0,
            width: 48,
            height: 32,
            safety_checker: true,
            ..plain.clone()
        };
        (cell(settings), run.nsfw_content_detected)
    };
    serde_json::from_str::<File>(&text).unwrap().runs.into_iter().map(as_cell).collect()
}

fn is_black(image: &Image) -> bool {
    image.rgb().iter().all(|&level| level == 0)
}

#[test]
fn verdicts_match_diffusers_and_flagged_pictures_are_black() {
    let model = composed(&[&fixtures().join("tiny-a"), &fixtures().join("safety")]);
    let mut engine = engine_of(model.path());
    let (cells, expected): (Vec<Cell>, Vec<bool>) = runs().into_iter().unzip();
    let (rendered, verdicts) = render_checked(&mut engine, &cells);
    for (cell, expected) in cells.iter().zip(expected) {
        assert_eq!(verdicts[&cell.id], Some(expected), "{} {}", cell.settings.prompt, cell.settings.seed);
        assert_eq!(is_black(rendered[&cell.id].as_ref().unwrap()), expected);
    }
}

#[test]
fn pictures_are_checked_only_if_the_setting_is_on() {
    let model = composed(&[&fixtures().join("tiny-a"), &fixtures().join("safety")]);
    let mut engine = engine_of(model.path());
    let free = |cell: &Cell| crate::cases::cell(Settings { safety_checker: false, ..cell.settings.clone() });
    let flagged = runs().into_iter().find(|(_, flagged)| *flagged).unwrap().0;
    let passed = runs().into_iter().find(|(_, flagged)| !flagged).unwrap().0;
    let cells = [free(&flagged), flagged, free(&passed), passed];
    let (rendered, verdicts) = render_checked(&mut engine, &cells);
    let found: Vec<Option<bool>> = cells.iter().map(|cell| verdicts[&cell.id]).collect();
    assert_eq!(found, [None, Some(true), None, Some(false)]);
    let picture = |at: usize| rendered[&cells[at].id].as_ref().unwrap();
    assert!(!is_black(picture(0)) && is_black(picture(1)));
    assert_eq!(picture(2), picture(3));
}

#[test]
fn a_flagged_picture_has_a_warning() {
    let model = composed(&[&fixtures().join("tiny-a"), &fixtures().join("safety")]);
    let flagged = runs().into_iter().find(|(_, flagged)| *flagged).unwrap().0;
    let mut warnings = Vec::new();
    let mut collect = |event| {
        if let Event::Warned { cell, warning } = event {
            warnings.push((cell, warning));
        }
        ControlFlow::Continue(())
    };
    engine_of(model.path()).render(&mut [flagged.clone()].into_iter(), &mut collect).unwrap();
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
