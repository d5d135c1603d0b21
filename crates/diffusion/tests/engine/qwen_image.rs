//! Qwen-Image: negative prompts. Its pictures are checked in `flow.rs`.

use crate::cases::fixtures;
use crate::flow_cases::{FlowCase, cases_in};
use crate::flow_checks::negative_prompts_and_the_scale_act;
use maquette_core::Scheduler;
use maquette_diffusion::{ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("qwen-image/cases.json")
}

#[test]
fn a_card_has_the_pipelines_defaults() {
    let one = card(&ModelSource::Folder(fixtures().join("tiny-qwen-image"))).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), None));
    assert_eq!((one.size, one.multiple_of, one.guidance_embedding), ((1024, 1024), 16, false));
    assert_eq!((one.steps, one.guidance_scale), (None, Some(4.0)));
}

#[test]
fn negative_prompts_and_the_scale_have_an_effect() {
    negative_prompts_and_the_scale_act(&cases()[0]);
}
