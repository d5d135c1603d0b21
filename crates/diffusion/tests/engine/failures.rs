//! A cell that cannot be rendered fails with a reason, without affecting others.

use crate::cases::{Case, cases, cell, engine, render};
use maquette_core::{Backend, Cell, Event, Settings};
use maquette_diffusion::DeviceName;
use std::ops::ControlFlow;

#[test]
fn a_branch_that_the_model_does_not_have_is_an_error() {
    let own = cases().into_iter().find(|case| case.name == "a-text-ddim").unwrap().cell().settings;
    let deep = |branch| {
        cell(Settings { deepcache_interval: Some(2), deepcache_branch_id: Some(branch), ..own.clone() })
    };
    let cells = [deep(5), deep(6)];
    let rendered = render(&mut engine(DeviceName::Cpu, None), &cells);
    assert!(rendered[&cells[0].id].is_ok());
    let expected = "`deepcache_branch_id` is 6; allowed: 0 to 5, the skip connections of the model tiny-a";
    assert_eq!(rendered[&cells[1].id].as_ref().unwrap_err(), expected);
}

#[test]
fn a_failing_cell_does_not_affect_others() {
    let good: Vec<Cell> = cases().iter().take(3).map(Case::cell).collect();
    let settings = &good[0].settings;
    let check = |bad: Settings, expected: &str| {
        let bad = cell(bad);
        let cells = [good[0].clone(), bad.clone(), good[1].clone(), good[2].clone()];
        let rendered = render(&mut engine(DeviceName::Cpu, None), &cells);
        let error = rendered[&bad.id].as_ref().unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(good.iter().all(|cell| rendered[&cell.id].is_ok()));
    };
    check(Settings { width: settings.width + 1, ..settings.clone() }, "allowed: multiples of 2");
    check(Settings { steps: 1000, ..settings.clone() }, "allowed: fewer steps");
    check(Settings { clip_skip: 60, ..settings.clone() }, "clip_skip");
    check(Settings { model: "no-such-model".into(), ..settings.clone() }, "no-such-model");
    let with_picture =
        cases().iter().map(|case| case.cell().settings).find(|s| s.init_image.is_some()).unwrap();
    let mut missing = with_picture.init_image.clone().unwrap();
    missing.file = std::path::Path::new("nowhere/missing.png").into();
    check(Settings { init_image: Some(missing), ..with_picture }, "missing.png");
}

#[test]
fn rendering_stops_when_the_caller_stops_it() {
    let cells: Vec<Cell> = cases().iter().map(Case::cell).collect();
    let (mut pulled, mut events) = (0, 0);
    let mut counted = cells.iter().cloned().inspect(|_| pulled += 1);
    engine(DeviceName::Cpu, None)
        .render(&mut counted, &mut |event| {
            events += 1;
            match event {
                Event::Stepped { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .unwrap();
    assert!(pulled < cells.len() && events < 30, "{pulled} pulled, {events} events");
}

#[test]
fn truncated_words_of_a_long_prompt_are_reported() {
    let settings = Settings { prompt: "portrait ".repeat(100).into(), ..cases()[0].cell().settings };
    let mut warnings = Vec::new();
    engine(DeviceName::Cpu, None)
        .render(&mut [cell(settings)].into_iter(), &mut |event| {
            if let Event::Warned { warning, .. } = event {
                warnings.push(warning);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("the prompt is longer than 77 tokens"), "{warnings:?}");
}
