//! Z-Image: whole pictures against diffusers, and rows that do not affect each other.

use crate::cases::{Case, Difference, cell, difference, fixtures, render};
use crate::composed::{composed, engine_of};
use maquette_core::{Cell, Dialect, Scheduler, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};
use serde::Deserialize;
use tempfile::TempDir;

/// The same as for pictures of other models.
const HANDFUL: usize = 10;

/// A run of diffusers.
#[derive(Deserialize)]
struct FlowCase {
    #[serde(flatten)]
    case: Case,
    shift: Option<f64>,
    /// Whether the shift depends on the size.
    dynamic: bool,
}

fn cases() -> Vec<FlowCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<FlowCase>,
    }
    let text = std::fs::read_to_string(fixtures().join("z-image/cases.json")).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

impl FlowCase {
    fn cell(&self) -> Cell {
        let shift = self.shift.or((!self.dynamic).then_some(3.0));
        cell(Settings { shift, ..self.case.cell().settings })
    }

    /// Its model, whose folder must outlive the engine.
    fn engine(&self) -> (TempDir, Engine) {
        let folders: &[&str] =
            if self.dynamic { &["tiny-z-image", "z-image/dynamic"] } else { &["tiny-z-image"] };
        let model = composed(folders);
        let engine = engine_of(DeviceName::Cpu, model.path());
        (model, engine)
    }
}

#[test]
fn pictures_match_diffusers() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (cell, (_model, mut engine)) = (case.cell(), case.engine());
        match &render(&mut engine, std::slice::from_ref(&cell))[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", case.case.name)),
            Ok(image) => {
                let difference = difference(image, &case.case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > HANDFUL {
                    wrong.push(format!("{}: {difference:?}", case.case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Captions of different lengths, with and without guidance, reference picture and mask.
#[test]
fn rows_do_not_affect_each_other() {
    let cases: Vec<FlowCase> = cases().into_iter().filter(|case| !case.dynamic).collect();
    let cells: Vec<Cell> = cases.iter().map(FlowCase::cell).collect();
    let (_model, mut engine) = cases[0].engine();
    let together = render(&mut engine, &cells);
    for (case, cell) in cases.iter().zip(&cells) {
        let alone = render(&mut case.engine().1, std::slice::from_ref(cell));
        assert!(alone[&cell.id].is_ok());
        assert_eq!(alone[&cell.id], together[&cell.id], "{}", case.case.name);
    }
}

#[test]
fn a_card_has_the_models_defaults() {
    let model = composed(&["tiny-z-image"]);
    let one = card(&ModelSource::Folder(model.path().to_owned())).unwrap();
    assert_eq!((one.scheduler, one.shift), (Some(Scheduler::FlowEuler), Some(3.0)));
    assert_eq!((one.size, one.multiple_of), ((1024, 1024), 4));
    let dynamic = composed(&["tiny-z-image", "z-image/dynamic"]);
    assert_eq!(card(&ModelSource::Folder(dynamic.path().to_owned())).unwrap().shift, None);
}

/// `AND` and changes from step to step are those of the dialect; weights of words have no effect.
#[test]
fn the_dialect_has_an_effect_except_for_weights() {
    let case = cases().remove(1);
    let plain = case.cell().settings;
    let with = |prompt: &str, dialect| cell(Settings { prompt: prompt.into(), dialect, ..plain.clone() });
    let cells = [
        with("a cat, by a lake", Dialect::Plain),
        with("a (cat:1.4), by [a] lake", Dialect::A1111),
        with("a [cat:dog:2], by a lake", Dialect::A1111),
        with("a cat, by a lake AND a dog", Dialect::A1111),
    ];
    let (_model, mut engine) = case.engine();
    let rendered = render(&mut engine, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert_eq!(pictures[0], pictures[1]);
    assert!(pictures[2] != pictures[0] && pictures[3] != pictures[0] && pictures[2] != pictures[3]);
}
