//! Models that predict flow: their pictures against diffusers, and rows that do not affect each other.

use crate::cases::{Difference, Rendered, cell, difference, render};
use crate::flow_cases::{FlowCase, cases_in};
use maquette_core::{Cell, CellId, Settings};
use maquette_diffusion::DeviceName;
use std::collections::HashMap;

/// The same as for pictures of other models.
pub const HANDFUL: usize = 10;

pub fn pictures_match(cases: &[FlowCase]) {
    let mut wrong = Vec::new();
    for case in cases {
        let (cell, (_model, mut engine)) = (case.cell(), case.engine(DeviceName::Cpu));
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

pub fn rows_are_independent(cases: Vec<FlowCase>) {
    let cases: Vec<FlowCase> = cases.into_iter().filter(FlowCase::is_plain).collect();
    let cells: Vec<Cell> = cases.iter().map(FlowCase::cell).collect();
    let (_model, mut engine) = cases[0].engine(DeviceName::Cpu);
    let together = render(&mut engine, &cells);
    for (case, cell) in cases.iter().zip(&cells) {
        let alone = render(&mut case.engine(DeviceName::Cpu).1, std::slice::from_ref(cell));
        assert!(alone[&cell.id].is_ok());
        assert_eq!(alone[&cell.id], together[&cell.id], "{}", case.case.name);
    }
}

/// The case with a LoRA.
pub fn with_lora(cases: &str) -> FlowCase {
    cases_in(cases).into_iter().find(|case| case.lora.is_some()).unwrap()
}

/// All forms of the LoRA of a case give the picture of the case, and none gives another. Returns these cells and what they gave.
pub fn forms_of_a_lora_agree(case: &FlowCase) -> (Vec<Cell>, HashMap<CellId, Rendered>) {
    let forms = case.cells_with_lora();
    assert!(forms.len() >= 3);
    let without = cell(Settings { lora: Vec::new(), ..forms[0].settings.clone() });
    let all = [&forms[..], std::slice::from_ref(&without)].concat();
    let rendered = render(&mut case.engine(DeviceName::Cpu).1, &all);
    for one in &forms {
        let found = difference(rendered[&one.id].as_ref().unwrap(), &case.case.expected());
        assert!(found.largest <= 1 && found.count <= HANDFUL, "{found:?}");
    }
    assert_ne!(rendered[&without.id], rendered[&forms[0].id]);
    (all, rendered)
}

/// A negative prompt and another guidance scale give other pictures than a case.
pub fn negative_prompts_and_the_scale_act(case: &FlowCase) {
    let plain = case.cell();
    let scale = cell(Settings { guidance_scale: 6.0, ..plain.settings.clone() });
    let negative = cell(Settings { negative_prompt: "ugly".into(), ..plain.settings.clone() });
    let cells = [plain, scale, negative];
    let rendered = render(&mut case.engine(DeviceName::Cpu).1, &cells);
    let pictures: Vec<_> = cells.iter().map(|cell| rendered[&cell.id].as_ref().unwrap()).collect();
    assert!(pictures[0] != pictures[1] && pictures[0] != pictures[2] && pictures[1] != pictures[2]);
}
