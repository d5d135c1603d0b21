//! Pictures of the device under test with the ones that they should be, and the table of their differences.

use crate::DTYPES;
use crate::cases::{cell, difference, render_with_remarks};
use maquette_core::{Cell, Dtype, Image, Settings};
use maquette_diffusion::Engine;

/// The least peak signal-to-noise ratio in f16 and in bf16, in decibels: of each picture, and of the median of a group.
///
/// The CPU's kernels round less often than a GPU's. Their worst pictures have 39 and 21, of `pndm`, which amplifies rounding
/// in its first steps; their medians are at least 52 and 35.
const LEAST_PSNR: [f64; 2] = [32.0, 15.0];
const LEAST_MEDIAN: [f64; 2] = [46.0, 28.0];

/// The largest share of levels that differ in f32, each by one.
const OFF_BY_ONE: f64 = 0.01;

/// A cell, and its picture as diffusers or the CPU rendered it in f32.
pub struct Pair {
    pub name: String,
    pub settings: Settings,
    pub expected: Image,
}

/// How two pictures differ.
struct Found {
    name: String,
    largest: u8,
    mean: f64,
    /// In decibels; infinite for equal pictures.
    psnr: f64,
}

/// Renders all cells in each precision, prints a line of the table for each precision, and fails if any picture differs
/// too much from the expected one.
pub fn compare(group: &str, engine: &mut Engine, pairs: &[Pair]) {
    assert!(!pairs.is_empty());
    let mut wrong = Vec::new();
    for dtype in DTYPES {
        let cells: Vec<Cell> =
            pairs.iter().map(|pair| cell(Settings { dtype, ..pair.settings.clone() })).collect();
        let mut rendered = render_with_remarks(engine, &cells);
        let mut found = Vec::new();
        for (pair, cell) in pairs.iter().zip(&cells) {
            let (image, remarks) = rendered.remove(&cell.id).unwrap();
            // A note means that it was rendered again in f32.
            let result = remarks.note.map_or(image, Err).and_then(|image| check(pair, &image, dtype));
            match result {
                Ok(difference) => found.push(difference),
                Err(error) => wrong.push(format!("{group}, {dtype}, {}: {error}", pair.name)),
            }
        }
        found.sort_by(|a, b| b.psnr.total_cmp(&a.psnr));
        print(group, dtype, &found);
        if let Some(middle) = found.get(found.len() / 2)
            && middle.psnr < least(dtype, LEAST_MEDIAN)
        {
            wrong.push(format!(
                "{group}, {dtype}: the median, {}, has only {:.1} dB",
                middle.name, middle.psnr
            ));
        }
    }
    assert!(wrong.is_empty(), "{} pictures are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(pair: &Pair, image: &Image, dtype: Dtype) -> Result<Found, String> {
    let of = difference(image, &pair.expected);
    let levels = image.rgb().len() as f64;
    let found = Found {
        name: pair.name.clone(),
        largest: of.largest,
        mean: of.mean,
        psnr: psnr(image, &pair.expected),
    };
    let is_off_by_one = of.largest <= 1 && of.count as f64 <= OFF_BY_ONE * levels;
    let is_close = found.psnr >= least(dtype, LEAST_PSNR) && (dtype != Dtype::F32 || is_off_by_one);
    if is_close { Ok(found) } else { Err(format!("{of:?}, {:.1} dB", found.psnr)) }
}

/// The bound of a precision; f32 has another one.
fn least(dtype: Dtype, [f16, bf16]: [f64; 2]) -> f64 {
    match dtype {
        Dtype::F32 => 0.0,
        Dtype::F16 => f16,
        Dtype::Bf16 => bf16,
    }
}

/// The peak signal-to-noise ratio, in decibels.
pub fn psnr(left: &Image, right: &Image) -> f64 {
    let squares = left.rgb().iter().zip(right.rgb()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / left.rgb().len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

fn print(group: &str, dtype: Dtype, found: &[Found]) {
    let Some(worst) = found.last() else {
        println!("{group:<22} {dtype:<5} no picture is close");
        return;
    };
    let middle = &found[found.len() / 2];
    println!(
        "{group:<22} {dtype:<5} {:>3} pictures; median: {:.3} levels, {:.1} dB; worst: {:.3} levels, {} at most, {:.1} dB ({})",
        found.len(),
        middle.mean,
        middle.psnr,
        worst.mean,
        found.iter().map(|found| found.largest).max().unwrap_or(0),
        worst.psnr,
        worst.name
    );
}
