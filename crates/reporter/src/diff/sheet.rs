//! The side-by-side sheet of two runs: left, right and difference, one row per pair whose pictures differ.

use super::measure::difference;
use super::text::{pixels, values};
use super::{Diff, Pair, Pixels, Side};
use crate::constants::sizes;
use crate::cut::cut;
use crate::draw::{Tile, paint, paint_tile, places, thumbnail};
use crate::frame::{Contents, Frame, Labels};
use crate::layout::{Part, lay};
use crate::text::Typesetter;
use maquette_core::{Image, SheetSpec};
use rayon::prelude::*;
use std::sync::Arc;

/// One page of a side-by-side sheet.
#[derive(Debug, Clone)]
pub struct DiffPage {
    /// A name for its file without extension.
    pub name: String,
    /// Its number, from 1.
    pub number: usize,
    /// The number of pages of the sheet.
    pub of: usize,
    frame: Arc<Frame>,
    part: Part,
    /// The pairs on all pages, as indices into [`Diff::pairs`].
    pairs: Arc<Vec<usize>>,
    /// The factor by which differences are multiplied, the same on all pages.
    factor: u32,
}

impl DiffPage {
    /// The characters in the labels and settings of all pages of this sheet that no font has, sorted by code point. They
    /// are drawn as boxes.
    pub fn missing_glyphs(&self) -> Vec<char> {
        self.frame.contents.missing_glyphs(&mut Typesetter::new())
    }
}

/// The pages of a side-by-side sheet; empty if no pictures differ. Sizes follow the left plan's `[sheet]`.
pub fn diff_pages(diff: &Diff, left: &Side, right: &Side) -> Vec<DiffPage> {
    let differs = |pair: &Pair| matches!(pair.pixels, Pixels::Different { .. } | Pixels::Sizes { .. });
    let pairs: Vec<usize> = (0..diff.pairs.len()).filter(|&at| differs(&diff.pairs[at])).collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let factor = factor(diff);
    let mut all_sizes = sizes(left.plan);
    all_sizes.extend(sizes(right.plan));
    let contents = Contents {
        title: format!("{} and {}", diff.left, diff.right),
        rows: Some(Labels {
            axis: String::new(),
            texts: pairs.iter().map(|&at| label(&diff.pairs[at])).collect(),
        }),
        columns: Some(Labels {
            axis: String::new(),
            texts: vec![diff.left.clone(), diff.right.clone(), format!("difference × {factor}")],
        }),
        count: (pairs.len(), 3),
        footer: footer(diff),
        ..Contents::default()
    };
    // `rows` and `columns` of the plan do not apply: a row must keep its three pictures together.
    let spec = SheetSpec { max: left.plan.sheet.max, cell: left.plan.sheet.cell, ..SheetSpec::default() };
    let cut = cut(&contents, &all_sizes, &spec, &mut Typesetter::new());
    let (frame, pairs) = (Arc::new(cut.frame), Arc::new(pairs));
    let of = cut.rows.len();
    let page = |(i, rows)| DiffPage {
        name: if of == 1 { "diff".to_owned() } else { format!("diff-{}", i + 1) },
        number: i + 1,
        of,
        frame: frame.clone(),
        part: Part {
            rows,
            columns: 0..3,
            heading: String::new(),
            number: if of == 1 { String::new() } else { format!("{} of {of}", i + 1) },
        },
        pairs: pairs.clone(),
        factor,
    };
    cut.rows.into_iter().enumerate().map(page).collect()
}

/// Draws a page; both pictures of each pair are loaded again and dropped once they are shrunk.
pub fn render_diff(diff: &Diff, page: &DiffPage, left: &Side, right: &Side) -> Image {
    let mut types = Typesetter::new();
    let layout = lay(&page.frame, &page.part, &mut types);
    let places: Vec<_> = places(&layout).collect();
    let tiles: Vec<Vec<Tile>> = places
        .par_chunks(3)
        .map(|row| {
            let pair = &diff.pairs[page.pairs[row[0].0.0]];
            let (left, right) = ((left.load)(pair.left.index), (right.load)(pair.right.index));
            let between = match (&left, &right) {
                (Tile::Done(left), Tile::Done(right)) => difference(left, right, page.factor),
                _ => None,
            };
            let tiles = [left, right, between.map_or(Tile::Missing, Tile::Done)];
            let small = |(tile, &(_, area))| match tile {
                Tile::Done(image) => Tile::Done(thumbnail(image, area, page.frame.enlarge)),
                other => other,
            };
            tiles.into_iter().zip(row).map(small).collect()
        })
        .collect();
    let mut canvas = paint(&layout, None, &mut types);
    for ((_, area), tile) in places.into_iter().zip(tiles.into_iter().flatten()) {
        paint_tile(&mut canvas, &tile, area, page.frame.style, &mut types);
    }
    canvas.into_image()
}

/// The coordinates of the pair, one line per axis; the settings that differ; the difference of the pictures.
fn label(pair: &Pair) -> String {
    let mut lines: Vec<String> =
        pair.left.coordinates.iter().map(|(axis, label)| format!("{axis} {label}")).collect();
    lines.extend(pair.settings.iter().map(|change| format!("{} {}", change.name, values(change))));
    lines.push(pixels(&pair.pixels));
    lines.join("\n")
}

fn footer(diff: &Diff) -> Vec<Vec<(String, String)>> {
    let counts = diff.counts();
    let mut footer: Vec<Vec<(String, String)>> =
        diff.settings.iter().map(|change| vec![(change.name.clone(), values(change))]).collect();
    footer.push(vec![
        ("identical".to_owned(), counts.identical.to_string()),
        ("different".to_owned(), (counts.different + counts.sizes).to_string()),
        (format!("only in {}", diff.left), diff.only_left.len().to_string()),
        (format!("only in {}", diff.right), diff.only_right.len().to_string()),
    ]);
    footer
}

/// A power of two that scales the largest mean difference to near a quarter of the range, so that it is visible and
/// rarely saturates.
fn factor(diff: &Diff) -> u32 {
    let error = |pair: &Pair| match pair.pixels {
        Pixels::Different { mean_absolute_error, .. } => mean_absolute_error,
        _ => 0.0,
    };
    let largest = diff.pairs.iter().map(error).fold(0.0, f64::max);
    (0..=6).map(|power| 1 << power).rev().find(|&factor| f64::from(factor) * largest <= 64.0).unwrap_or(1)
}
