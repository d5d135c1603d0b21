//! Chroma: whole pictures against diffusers, rows that do not affect each other, negative prompts.

use crate::cases::{cell, render};
use crate::flow_cases::{FlowCase, cases_in};
use crate::flow_checks::{pictures_match, rows_are_independent};
use maquette_core::{Scheduler, Settings};
use maquette_diffusion::{DeviceName, ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("chroma/cases.json")
}

#[test]
fn pictures_match_diffusers() {
    pictures_match(&cases());
}

/// Prompts of different lengths, with and without guidance.
#[test]
fn rows_do_not_affect_each_other() {
    rows_are_independent(cases());
}

#[test]
fn a_card_has_the_pipelines_defaults() {
    let (model, _) = cases()[0].engine(DeviceName::Cpu);
    let one = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), Some(3.0)));
    assert_eq!((one.size, one.multiple_of, one.guidance_embedding), ((1024, 1024), 4, false));
    assert_eq!((one.steps, one.guidance_scale), (Some(35), Some(5.0)));
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
