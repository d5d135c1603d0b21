//! Whole pictures against those that diffusers made with the same settings and seeds.

use crate::cases::{Difference, cases, difference, engine, render};
use maquette_diffusion::DeviceName;

/// Moving every weight by a relative 3e-7 changes three levels of a picture at most, each by one
/// (`tests/fixtures/README.md`).
const HANDFUL: usize = 10;

#[test]
fn pictures_are_those_of_diffusers() {
    let mut wrong = Vec::new();
    let mut engine = engine(DeviceName::Cpu, None);
    for case in cases() {
        let cell = case.cell();
        match &render(&mut engine, std::slice::from_ref(&cell))[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
            Ok(image) => {
                let difference = difference(image, &case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > HANDFUL {
                    wrong.push(format!("{}: {difference:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
