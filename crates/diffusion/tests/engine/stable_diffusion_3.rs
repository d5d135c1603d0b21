//! Stable Diffusion 3.5: defaults, and prompts of any length. Its pictures are checked in `flow.rs`.

use crate::cases::{cell, render};
use crate::composed::composed;
use crate::flow_cases::{FlowCase, cases_in};
use maquette_core::{Dialect, Scheduler, Settings};
use maquette_diffusion::{DeviceName, ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("sd3/cases.json")
}

#[test]
fn a_card_has_the_models_defaults() {
    let model = composed(&["tiny-sd3"]);
    let card = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
    assert_eq!((card.scheduler, card.shift), (Some(Scheduler::FlowEuler), Some(3.0)));
    assert_eq!((card.size, card.multiple_of), ((32, 32), 4));
}

/// Prompts of the dialect may be longer than CLIP's 77 tokens, so that rows of one call have different lengths.
#[test]
fn prompts_of_the_dialect_have_any_length() {
    let case = cases().remove(0);
    let with = |prompt: &str| {
        let settings = case.cell().settings;
        cell(Settings { prompt: prompt.into(), dialect: Dialect::A1111, ..settings })
    };
    let long = "a garden with a (bench:1.3), ".repeat(20);
    let cells = [with("a garden with a (bench:1.3)"), with("a garden with a bench"), with(&long)];
    let (_model, mut engine) = case.engine(DeviceName::Cpu);
    let rendered = render(&mut engine, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert!(pictures[0] != pictures[1] && pictures[0] != pictures[2]);
}
