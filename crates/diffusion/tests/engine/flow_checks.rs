//! Models that predict flow: their pictures against diffusers, and rows that do not affect each other.

use crate::cases::{Difference, difference, render};
use crate::flow_cases::FlowCase;
use maquette_core::Cell;
use maquette_diffusion::DeviceName;

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
