//! A cell's picture does not depend on its neighbours, on their order, on the width of a call or on threads.

use crate::cases::{Case, cases, engine, render};
use maquette_core::Cell;
use maquette_diffusion::DeviceName;

/// Every fixture of one model and size, so that they may share UNet calls: four schedulers, with and without guidance
/// and reference picture, different prompts and step counts.
fn crowd() -> Vec<Cell> {
    let mut cells: Vec<Cell> = cases().iter().map(Case::cell).collect();
    let key = |cell: &Cell| (cell.settings.model.clone(), cell.settings.width, cell.settings.height);
    cells.sort_by_key(key);
    let largest = cells.chunk_by(|a, b| key(a) == key(b)).max_by_key(|group| group.len()).unwrap();
    assert!(largest.len() >= 6, "the fixtures no longer hold a crowd");
    largest.to_vec()
}

#[test]
fn alone_and_in_company_a_cell_is_the_same_picture() {
    let cells = crowd();
    let mut alone = engine(DeviceName::Cpu, Some(2));
    let expected = render(&mut alone, &cells);
    assert_eq!(expected.len(), cells.len());
    let reversed: Vec<Cell> = cells.iter().rev().cloned().collect();
    for (rows, cells) in [(5, &cells), (64, &cells), (64, &reversed)] {
        assert_eq!(render(&mut engine(DeviceName::Cpu, Some(rows)), cells), expected, "{rows} rows");
    }
}

#[test]
fn a_later_call_gives_the_same_pictures_as_the_first() {
    // As after a resume: only some of the cells are left, and the caches are warm or cold.
    let cells = crowd();
    let mut engine = engine(DeviceName::Cpu, None);
    let all = render(&mut engine, &cells);
    let rest = render(&mut engine, &cells[cells.len() / 2..]);
    for (cell, picture) in rest {
        assert_eq!(picture, all[&cell]);
    }
}

#[test]
fn threads_change_nothing() {
    let cells = crowd();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| render(&mut engine(DeviceName::Cpu, None), &cells))
    };
    let expected = with_threads(1);
    assert_eq!(with_threads(2), expected);
    assert_eq!(with_threads(3), expected);
}
