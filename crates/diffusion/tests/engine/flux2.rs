//! FLUX.2 klein: distilled models. Its pictures are checked in `flow.rs`.

use crate::cases::{cell, engine, render};
use crate::composed::{composed, engine_of};
use crate::flow_cases::{FlowCase, cases_in};
use maquette_core::{Scheduler, Settings};
use maquette_diffusion::{DeviceName, ModelSource, card, model_notes};

fn cases() -> Vec<FlowCase> {
    cases_in("flux2/cases.json")
}

#[test]
fn a_card_has_the_models_defaults() {
    let model = composed(&["tiny-flux2"]);
    let card = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
    assert_eq!((card.scheduler, card.shift), (Some(Scheduler::FlowEuler), None));
    assert_eq!((card.size, card.multiple_of, card.guidance_embedding), ((1024, 1024), 4, false));
}

/// As diffusers' pipeline ignores the scale if the index says so.
#[test]
fn guidance_has_no_effect_on_a_distilled_model() {
    let case = cases().remove(0);
    let plain = case.cell();
    let guided = cell(Settings { guidance_scale: 6.0, ..plain.settings.clone() });
    let model = composed(&["tiny-flux2", "flux2/distilled"]);
    let source = ModelSource::Folder(model.path().to_owned());
    assert!(card(&source).unwrap().guidance_embedding);
    assert!(model_notes(&source).unwrap()[0].text.starts_with("`guidance_scale` has no effect"));
    let found = render(&mut engine_of(DeviceName::Cpu, model.path()), std::slice::from_ref(&guided));
    let base = render(&mut engine(DeviceName::Cpu, None), &[plain.clone(), guided.clone()]);
    assert!(base[&plain.id].is_ok());
    assert_eq!(found[&guided.id], base[&plain.id]);
    assert_ne!(base[&guided.id], base[&plain.id]);
}
