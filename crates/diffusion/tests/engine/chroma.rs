//! Chroma: negative prompts. Its pictures are checked in `flow.rs`.

use crate::flow_cases::{FlowCase, cases_in};
use crate::flow_checks::negative_prompts_and_the_scale_act;
use maquette_core::Scheduler;
use maquette_diffusion::{DeviceName, ModelSource, card};

fn cases() -> Vec<FlowCase> {
    cases_in("chroma/cases.json")
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
    negative_prompts_and_the_scale_act(&cases()[0]);
}
