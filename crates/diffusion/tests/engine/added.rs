//! LoRAs and textual inversions in the engine: pictures match diffusers, and cells do not affect each other.

use crate::added_cases::{Added, added, named};
use crate::cases::{Difference, cell, difference, engine, render};
use maquette_core::{Backend, Cell, Embedding, Event, Lora, Settings};
use maquette_diffusion::DeviceName;
use std::ops::ControlFlow;

#[test]
fn pictures_match_diffusers() {
    let mut wrong = Vec::new();
    let all: Vec<Added> = ["lora", "embeddings", "training"].into_iter().flat_map(added).collect();
    let mut engine = engine(DeviceName::Cpu, None);
    let cells: Vec<Cell> = all.iter().map(|added| cell(added.settings())).collect();
    let rendered = render(&mut engine, &cells);
    for (added, cell) in all.iter().zip(&cells) {
        match &rendered[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", added.case.name)),
            Ok(image) => {
                let difference = difference(image, &added.case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > 10 {
                    wrong.push(format!("{}: {difference:?}", added.case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cells_with_different_loras_do_not_affect_each_other_or_reload_the_model() {
    let all = added("lora");
    let with = |k: usize, seed: u64| cell(Settings { seed, ..all[k].settings() });
    let without = |seed: u64| cell(Settings { seed, lora: Vec::new(), ..all[0].settings() });
    // In a mixed order, and sorted as the executor does it.
    let mixed = [with(0, 1), without(1), with(1, 1), with(1, 2), without(2), with(4, 1), with(0, 2)];
    let mut sorted = mixed.to_vec();
    sorted.sort_by_key(|cell| cell.settings.get("lora").map(|lora| lora.to_string()));
    let expected = render(&mut engine(DeviceName::Cpu, Some(2)), &sorted);
    assert!(expected.values().all(Result::is_ok));

    let (mut loads, mut found) = (0, Vec::new());
    engine(DeviceName::Cpu, Some(16))
        .render(&mut mixed.iter().cloned(), &mut |event| {
            match event {
                Event::Loading { .. } => loads += 1,
                Event::Finished { cell, image, .. } => found.push((cell, Ok(image))),
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(loads, 1);
    assert_eq!(found.into_iter().collect::<std::collections::HashMap<_, _>>(), expected);
}

#[test]
fn a_broken_adapter_fails_only_its_cell() {
    let good = cell(added("lora")[0].settings());
    let check = |bad: Settings, expected: &str| {
        let bad = cell(bad);
        let rendered = render(&mut engine(DeviceName::Cpu, None), &[good.clone(), bad.clone()]);
        let error = rendered[&bad.id].as_ref().unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(rendered[&good.id].is_ok());
    };
    let settings = good.settings.clone();
    let lora = vec![Lora::new(named("lora", "peft.safetensors"), 1.0)];
    check(Settings { lora, ..settings.clone() }, "peft.safetensors: ");
    let embeddings = vec![Embedding { word: None, file: named("embeddings", "b-one.safetensors") }];
    check(Settings { embeddings, ..settings }, "`<hat>` has the shape [40]");
}
