//! Rows of one call, and calls of one device: pictures that should be the same.

use crate::cases::{Rendered, cell, crowd, difference, engine, render};
use crate::pairs::psnr;
use crate::{DTYPES, device};
use maquette_core::{Cell, CellId, Dtype, Settings};
use std::collections::HashMap;

fn cells(dtype: Dtype) -> Vec<Cell> {
    crowd().into_iter().map(|of| cell(Settings { dtype, ..of.settings })).collect()
}

/// Each cell in a call of its own.
fn alone(cells: &[Cell]) -> HashMap<CellId, Rendered> {
    let mut engine = engine(device(), Some(2));
    cells.iter().flat_map(|cell| render(&mut engine, std::slice::from_ref(cell))).collect()
}

/// The largest difference to the picture of the same cell alone. Libraries choose their kernels by the number of rows,
/// so that sums have another order; in half precision, where this changes rounding, it is printed only.
#[test]
fn a_row_alone_matches_the_same_row_in_a_batch() {
    let mut wrong = Vec::new();
    for dtype in DTYPES {
        let cells = cells(dtype);
        let alone = alone(&cells);
        for rows in [2, 5, 64] {
            let batch = render(&mut engine(device(), Some(rows)), &cells);
            let (mut largest, mut differing, mut least) = (0, 0, f64::INFINITY);
            for cell in &cells {
                match (&alone[&cell.id], &batch[&cell.id]) {
                    (Ok(alone), Ok(in_batch)) => {
                        largest = largest.max(difference(in_batch, alone).largest);
                        differing += usize::from(alone != in_batch);
                        least = least.min(psnr(in_batch, alone));
                    }
                    (Err(error), _) | (_, Err(error)) => wrong.push(format!("{dtype}, {rows} rows: {error}")),
                }
            }
            println!(
                "alone or in a batch    {dtype:<5} {rows:>2} rows: {differing} of {} pictures differ, {largest} levels \
                 at most, {least:.1} dB at least",
                cells.len()
            );
            if dtype == Dtype::F32 && largest > 1 {
                wrong.push(format!("{dtype}, {rows} rows: up to {largest} levels"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_call_gives_the_same_bytes() {
    let mut wrong = Vec::new();
    for dtype in DTYPES {
        let cells = cells(dtype);
        let mut first = engine(device(), Some(8));
        let expected = render(&mut first, &cells);
        let again = [render(&mut first, &cells), render(&mut engine(device(), Some(8)), &cells)];
        for (again, which) in again.iter().zip(["again", "in a new engine"]) {
            let differing = cells.iter().filter(|cell| again[&cell.id] != expected[&cell.id]).count();
            if differing > 0 {
                wrong.push(format!("{dtype}, {which}: {differing} of {} pictures differ", cells.len()));
            }
        }
        wrong.extend(expected.values().filter_map(|one| one.as_ref().err()).cloned());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
