//! Splits a grid into pages: chooses the size of thumbnails, and the rows and columns of each page.

use crate::frame::{Contents, Frame};
use crate::layout::fixed_height;
use crate::style::{MAX_EDGE, MAX_PIXELS, MIN_EDGE, SMALLEST_TILE, TILE, TINY, TINY_TILE};
use crate::text::Typesetter;
use crate::thumbnails::shown_size;
use maquette_core::SheetSpec;
use std::ops::Range;

/// A measured grid and its division into pages.
#[derive(Debug)]
pub(crate) struct Cut {
    pub frame: Frame,
    /// Rows of each page, top to bottom.
    pub rows: Vec<Range<usize>>,
    /// Columns of each page, left to right.
    pub columns: Vec<Range<usize>>,
}

/// Makes pictures as large as `spec` and the limits of a page allow, and splits the grid if it does not fit on one page.
///
/// Pictures are first shrunk, down to [`SMALLEST_TILE`], because one page is easier to compare than two; then columns and
/// rows are distributed evenly over pages. A thumbnail size that the plan sets is kept. A page of a single picture is
/// never split, however long its labels are.
pub(crate) fn cut(
    contents: &Contents,
    sizes: &[(u32, u32)],
    spec: &SheetSpec,
    types: &mut Typesetter,
) -> Cut {
    let max_edge = spec.max.unwrap_or(MAX_EDGE).max(MIN_EDGE);
    let longest = sizes.iter().map(|size| size.0.max(size.1)).max().unwrap_or(TILE).max(1);
    let (full, enlarge) = if longest <= TINY {
        let limit = spec.cell.unwrap_or(TINY_TILE);
        (limit, (limit / longest).max(1))
    } else {
        (spec.cell.unwrap_or(TILE), 1)
    };
    // A picture and its margins must fit on a page, whatever size the plan sets.
    let full = full.clamp(1, max_edge / 2);
    let smallest = if spec.cell.is_some() { full } else { full.min(SMALLEST_TILE) };
    let measure = |limit: u32, types: &mut Typesetter| {
        Frame::measure(contents.clone(), room(sizes, limit, enlarge), enlarge, max_edge, types)
    };

    let mut limit = full;
    loop {
        // Labels are measured only if the pictures alone would fit.
        let (width, height) = room(sizes, limit, enlarge);
        let (rows, columns) = contents.count;
        let least = (width as usize * columns, height as usize * rows);
        if fits(least.0 as u64, least.1 as u64, max_edge) {
            let frame = measure(limit, types);
            let height = frame.rows_height(0..rows) + fixed_height(&frame, columns, types);
            if fits(frame.width(columns).into(), height.into(), max_edge) {
                return Cut { frame, rows: evenly(rows, rows), columns: evenly(columns, columns) };
            }
        }
        if limit <= smallest {
            break;
        }
        limit = (limit * 15 / 16).max(smallest);
    }

    let frame = measure(smallest, types);
    let (rows, columns) = contents.count;
    let across = (1..=columns).rev().find(|&columns| frame.width(columns) <= max_edge).unwrap_or(1);
    let columns = evenly(columns, across);
    let widest = columns.iter().map(ExactSizeIterator::len).max().unwrap_or(1);
    let tallest = u64::from(max_edge).min(MAX_PIXELS / u64::from(frame.width(widest)));
    let fixed = columns.iter().map(|part| fixed_height(&frame, part.len(), types)).max().unwrap_or(0);
    let rows = stack(&frame, rows, (tallest as u32).saturating_sub(fixed));
    Cut { frame, rows, columns }
}

fn fits(width: u64, height: u64, max_edge: u32) -> bool {
    width <= max_edge.into() && height <= max_edge.into() && width * height <= MAX_PIXELS
}

/// The space that fits pictures of all these sizes if each is scaled to at most `limit` per edge.
fn room(sizes: &[(u32, u32)], limit: u32, enlarge: u32) -> (u32, u32) {
    let shown = sizes.iter().map(|&size| shown_size(size, (limit, limit), enlarge));
    shown.reduce(|room, size| (room.0.max(size.0), room.1.max(size.1))).unwrap_or((limit, limit))
}

/// Divides `count` items into as few parts of at most `most` items as possible, of about equal size.
fn evenly(count: usize, most: usize) -> Vec<Range<usize>> {
    let parts = count.div_ceil(most.max(1)).max(1);
    (0..parts).map(|part| part * count / parts..(part + 1) * count / parts).collect()
}

/// Divides rows into as few parts of at most `limit` pixels as possible, of heights as even as possible.
fn stack(frame: &Frame, count: usize, limit: u32) -> Vec<Range<usize>> {
    let greedy = |limit: u32| {
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for row in 0..count {
            if row > start && frame.rows_height(start..row + 1) > limit {
                parts.push(start..row);
                start = row;
            }
        }
        parts.push(start..count);
        parts
    };
    let best = greedy(limit);
    let (mut low, mut high) = (0, limit);
    while low < high {
        let middle = low + (high - low) / 2;
        if greedy(middle).len() > best.len() { low = middle + 1 } else { high = middle }
    }
    greedy(high)
}
