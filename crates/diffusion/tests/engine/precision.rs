//! Precision: pictures that overflow are rendered again in f32, with a note.

use crate::cases::{cases, cases_in, cell, engine, fixtures};
use crate::composed::overflowing_model;
use maquette_core::{Backend, Cell, CellId, Dtype, Event, Image, Remarks, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The result of each cell, and the loaded models in order.
fn render(engine: &mut Engine, cells: &[Cell]) -> (HashMap<CellId, (Image, Remarks)>, Vec<String>) {
    let (mut rendered, mut loaded) = (HashMap::new(), Vec::new());
    let mut take = |event| {
        match event {
            Event::Finished { cell, image, remarks, .. } => {
                assert!(rendered.insert(cell, (image, remarks)).is_none(), "a cell ended twice");
            }
            Event::Loading { model } => loaded.push(model),
            Event::Failed { error, .. } => panic!("{error}"),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    engine.render(&mut cells.iter().cloned(), &mut take).unwrap();
    (rendered, loaded)
}

#[test]
fn a_picture_that_overflows_in_f16_is_rendered_again_in_f32() {
    let folder = overflowing_model();
    let copy = folder.path().to_owned();
    let find = move |name: &str| match name {
        "large" => Ok(ModelSource::Folder(copy.clone())),
        _ => Ok(ModelSource::Folder(fixtures().join(name))),
    };
    let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
    let made = |model: &str, seed: u64, dtype: Dtype| {
        cell(Settings { model: model.into(), seed, dtype, ..cases()[0].cell().settings })
    };
    let overflowing = [1, 2].map(|seed| made("large", seed, Dtype::F16));
    let fine = made("tiny-a", 1, Dtype::F16);
    let wide = made("large", 1, Dtype::Bf16);
    let cells = [overflowing[0].clone(), fine.clone(), overflowing[1].clone(), wide.clone()];
    let (rendered, loaded) = render(&mut engine, &cells);
    assert_eq!(rendered.len(), 4);
    assert_eq!(loaded, ["large", "tiny-a", "large", "large", "large"], "f32 is loaded once, at the end");

    let (expected, _) = render(&mut engine, &[1, 2].map(|seed| made("large", seed, Dtype::F32)));
    for (seed, cell) in [1, 2].into_iter().zip(&overflowing) {
        let (image, remarks) = &rendered[&cell.id];
        assert_eq!(remarks.note.as_deref(), Some("f16 overflowed, so it was rendered again in f32"));
        assert_eq!(*image, expected[&made("large", seed, Dtype::F32).id].0);
    }
    assert_eq!(rendered[&fine.id].1, Remarks::default());
    assert_eq!(rendered[&wide.id].1, Remarks::default());
}

/// The bundled model's pictures. With AVX512-BF16 products are in bf16, elsewhere only the weights are.
#[test]
fn pictures_in_bf16_are_within_40_db_of_f32() {
    for case in cases_in("sketchbook/cases.json") {
        let settings = Settings { dtype: Dtype::Bf16, ..case.cell().settings };
        let cells = [cell(settings.clone()), cell(Settings { dtype: Dtype::F32, ..settings })];
        let (rendered, _) = render(&mut engine(DeviceName::Cpu, None), &cells);
        let [bf16, f32] = cells.each_ref().map(|cell| rendered[&cell.id].0.rgb());
        let squares = bf16.iter().zip(f32).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
        let decibels = 10.0 * (255f64.powi(2) * bf16.len() as f64 / squares.sum::<f64>()).log10();
        assert!(decibels >= 40.0, "{}: {decibels:.1} dB", case.name);
    }
}

#[test]
fn a_model_that_cannot_be_loaded_is_tried_only_once() {
    let tried = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&tried);
    let find = move |_: &str| {
        count.set(count.get() + 1);
        Ok(ModelSource::Folder("nowhere".into()))
    };
    let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
    let cells: Vec<Cell> = (0..5).map(|seed| cell(Settings { seed, ..cases()[0].cell().settings })).collect();
    let mut failed = 0;
    engine
        .render(&mut cells.into_iter(), &mut |event| {
            failed += usize::from(matches!(event, Event::Failed { .. }));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((failed, tried.get()), (5, 1));
}
