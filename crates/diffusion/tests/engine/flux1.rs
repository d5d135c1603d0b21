//! FLUX.1: dev and schnell. Their pictures are checked in `flow.rs`.

use crate::cases::{cell, render};
use crate::composed::{composed, engine_of};
use crate::flow_cases::{FlowCase, cases_in};
use maquette_core::{Dialect, Scheduler, Settings};
use maquette_diffusion::{DeviceName, ModelSource, card, model_notes};

fn cases() -> Vec<FlowCase> {
    cases_in("flux1/cases.json")
}

#[test]
fn a_card_has_the_models_defaults() {
    let source = |folders: &[&str]| {
        let model = composed(folders);
        (ModelSource::Folder(model.path().to_owned()), model)
    };
    let (dev, _model) = source(&["tiny-flux1"]);
    let one = card(&dev).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), None));
    assert_eq!((one.size, one.multiple_of, one.guidance_embedding), ((1024, 1024), 4, true));
    let notes = |source| model_notes(source).unwrap().into_iter().map(|note| note.text).collect::<Vec<_>>();
    assert!(
        matches!(&notes(&dev)[..], [negative] if negative.starts_with("`negative_prompt` has no effect"))
    );
    let (schnell, _model) = source(&["tiny-flux1", "flux1/schnell"]);
    let one = card(&schnell).unwrap();
    assert_eq!((one.shift, one.guidance_embedding), (Some(1.0), true));
    let notes = notes(&schnell);
    assert!(notes.len() == 2 && notes[1].starts_with("`guidance_scale` has no effect"), "{notes:?}");
}

/// The scale is an input of dev's transformer.
#[test]
fn guidance_has_an_effect_on_dev_alone() {
    let plain = cases().remove(0).cell();
    let other = cell(Settings { guidance_scale: 6.0, ..plain.settings.clone() });
    let negative = cell(Settings { negative_prompt: "ugly".into(), ..plain.settings.clone() });
    for (folders, has_effect) in [(&["tiny-flux1"][..], true), (&["tiny-flux1", "flux1/schnell"], false)] {
        let model = composed(folders);
        let cells = [plain.clone(), other.clone(), negative.clone()];
        let rendered = render(&mut engine_of(DeviceName::Cpu, model.path()), &cells);
        assert!(rendered.values().all(Result::is_ok));
        assert_eq!(rendered[&plain.id] != rendered[&other.id], has_effect);
        assert_eq!(rendered[&plain.id], rendered[&negative.id]);
    }
}

/// `AND` and changes from step to step are those of the dialect; weights have an effect on CLIP's pooled embedding alone.
#[test]
fn the_dialect_has_an_effect() {
    let case = cases().remove(0);
    let with =
        |prompt: &str, dialect| cell(Settings { prompt: prompt.into(), dialect, ..case.cell().settings });
    let cells = [
        with("a cat, by a lake", Dialect::Plain),
        with("a cat, by a lake", Dialect::A1111),
        with("a [cat:dog:2], by a lake", Dialect::A1111),
        with("a cat, by a lake AND a dog", Dialect::A1111),
    ];
    let (_model, mut engine) = case.engine(DeviceName::Cpu);
    let rendered = render(&mut engine, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert_eq!(pictures[0], pictures[1]);
    assert!(pictures[2] != pictures[0] && pictures[3] != pictures[0] && pictures[2] != pictures[3]);
}
