//! Draws a laid-out page.

use crate::canvas::{Area, Canvas};
use crate::layout::{Layout, What};
use crate::pages::PageSpec;
use crate::style::{FAILED, FAILED_INK, Face, HAIRLINE, MISSING, MISSING_EDGE, PAPER, SOFT, Style};
use crate::text::{Text, Typesetter};
use crate::thumbnails::{fitted, resize, shown_size};
use maquette_core::{Image, Plan};
use rayon::prelude::*;

/// The state of a cell, as shown on a sheet.
#[derive(Debug, Clone, PartialEq)]
pub enum Tile {
    /// It has a picture.
    Done(Image),
    /// It has only a draft: a quick picture, to be replaced.
    Draft(Image),
    /// It failed with this error.
    Failed(String),
    /// It has not been rendered yet.
    Missing,
}

/// Draws a page.
///
/// `load` is called for each cell of the page with its index in the plan, on several threads at once; a picture is
/// dropped as soon as its thumbnail is made. The bytes do not depend on the number of threads.
pub fn render(
    plan: &Plan,
    page: &PageSpec,
    reference: Option<&Image>,
    load: &(dyn Fn(usize) -> Tile + Sync),
) -> Image {
    let mut types = Typesetter::new();
    let layout = page.layout(&mut types);
    let places: Vec<((usize, usize), Area)> = places(&layout).collect();
    let tiles: Vec<Option<Tile>> = places
        .par_iter()
        .map(|&((row, column), area)| {
            let tile = load(page.index_at(plan, row, column)?);
            Some(match tile {
                Tile::Done(image) => Tile::Done(thumbnail(image, area, page.frame.enlarge)),
                Tile::Draft(image) => Tile::Draft(thumbnail(image, area, page.frame.enlarge)),
                other => other,
            })
        })
        .collect();
    let mut canvas = paint(&layout, reference, &mut types);
    for ((_, area), tile) in places.into_iter().zip(tiles) {
        // A position that was filtered out stays empty.
        if let Some(tile) = tile {
            paint_tile(&mut canvas, &tile, area, page.frame.style, &mut types);
        }
    }
    canvas.into_image()
}

/// The places of pictures on a page: row and column in the whole grid, and the area.
pub(crate) fn places(layout: &Layout) -> impl Iterator<Item = ((usize, usize), Area)> + '_ {
    layout.items.iter().filter_map(|item| match item.what {
        What::Place(row, column) => Some(((row, column), item.area)),
        _ => None,
    })
}

/// Draws everything on a page except the pictures of its cells.
pub(crate) fn paint(layout: &Layout, reference: Option<&Image>, types: &mut Typesetter) -> Canvas {
    let mut canvas = Canvas::new(layout.width, layout.height, PAPER);
    for item in &layout.items {
        match &item.what {
            What::Text(text) => paint_text(&mut canvas, text, item.area, types),
            What::Hairline => canvas.fill(item.area, HAIRLINE),
            What::Reference => match reference {
                Some(image) => {
                    let (width, height) = (image.width().max(1), image.height().max(1));
                    let limit = item.area.width.min(2 * width.max(height));
                    let size = fitted((width, height), limit);
                    // Not centred, so that its edge is aligned with the labels.
                    canvas.paste(&resize(image.clone(), size), item.area.x, item.area.y);
                }
                None => paint_empty(&mut canvas, item.area),
            },
            What::Place(..) => {}
        }
    }
    canvas
}

/// Draws a cell into its area.
pub(crate) fn paint_tile(canvas: &mut Canvas, tile: &Tile, area: Area, style: Style, types: &mut Typesetter) {
    match tile {
        Tile::Done(image) => _ = paint_picture(canvas, image, area),
        Tile::Draft(image) => {
            let area = paint_picture(canvas, image, area);
            paint_mark(canvas, "draft", area, style, types);
        }
        Tile::Failed(error) => {
            canvas.fill(area, FAILED);
            paint_error(canvas, error, area, style, types);
        }
        Tile::Missing => paint_empty(canvas, area),
    }
}

/// Draws a picture in the middle of an area; returns where it is.
fn paint_picture(canvas: &mut Canvas, image: &Image, area: Area) -> Area {
    let x = area.x + area.width.saturating_sub(image.width()) / 2;
    let y = area.y + area.height.saturating_sub(image.height()) / 2;
    canvas.paste(image, x, y);
    Area { x, y, width: image.width(), height: image.height() }
}

/// Draws a word on paper in the top left corner of a picture; on a tiny picture only the paper.
fn paint_mark(canvas: &mut Canvas, word: &str, area: Area, style: Style, types: &mut Typesetter) {
    let text = Text::plain(word, Face { colour: FAILED_INK, ..style.axis() }, area.width.max(1));
    let (width, height) = types.measure(&text);
    let inset = style.space(0.3);
    let corner = Area { x: area.x, y: area.y, width: width + 2 * inset, height: height + inset };
    if corner.width > area.width || corner.height > area.height {
        return canvas.fill(Area { width: area.width / 2, height: area.height / 2, ..corner }, PAPER);
    }
    canvas.fill(corner, PAPER);
    paint_text(canvas, &text, Area { x: area.x + inset, y: area.y + inset / 2, width, height }, types);
}

/// Scales a picture to fit its area.
pub(crate) fn thumbnail(image: Image, area: Area, enlarge: u32) -> Image {
    let size = shown_size((image.width(), image.height()), (area.width, area.height), enlarge);
    resize(image, size)
}

fn paint_empty(canvas: &mut Canvas, area: Area) {
    canvas.fill(area, MISSING);
    canvas.outline(area, MISSING_EDGE);
}

fn paint_text(canvas: &mut Canvas, text: &Text, area: Area, types: &mut Typesetter) {
    types.draw(text, area.x, area.y, &mut |x, y, colour, alpha| canvas.blend(x, y, colour, alpha));
}

/// Draws `failed` and the error within the area: in smaller letters if the error is long, and truncated if it still does
/// not fit.
fn paint_error(canvas: &mut Canvas, error: &str, area: Area, style: Style, types: &mut Typesetter) {
    let inset = style.space(0.6).min(area.width / 12);
    let room = Area {
        x: area.x + inset,
        y: area.y + inset,
        width: area.width.saturating_sub(2 * inset).max(1),
        height: area.height.saturating_sub(2 * inset),
    };
    let heading = Face { colour: FAILED_INK, ..style.axis() };
    let heading = Text::plain("failed", heading, room.width);
    let below = types.measure(&heading).1 + style.space(0.2);
    if below > room.height {
        return;
    }
    paint_text(canvas, &heading, room, types);
    let rest = room.height - below;
    let place = Area { y: room.y + below, height: rest, ..room };
    let mut text = Text::plain(error, style.small(), room.width);
    for size in style.label_sizes() {
        text.face = text.face.sized(size);
        if types.measure(&text).1 <= rest {
            return paint_text(canvas, &text, place, types);
        }
    }
    let face = Face { colour: SOFT, ..text.face };
    if let Some(text) = longest_start(error, face, room.width, rest, types) {
        paint_text(canvas, &text, place, types);
    }
}

/// The start of the words that fits into the height, with an ellipsis; `None` if not even one letter fits.
fn longest_start(words: &str, face: Face, width: u32, height: u32, types: &mut Typesetter) -> Option<Text> {
    let ends: Vec<usize> = words.char_indices().map(|(at, _)| at).collect();
    let mut fits = |count: usize| {
        let text = Text::plain(&format!("{}…", words[..ends[count]].trim_end()), face, width);
        (types.measure(&text).1 <= height).then_some(text)
    };
    let (mut low, mut high, mut best) = (1, ends.len(), None);
    while low < high {
        let middle = low + (high - low) / 2;
        match fits(middle) {
            Some(text) => {
                best = Some(text);
                low = middle + 1;
            }
            None => high = middle,
        }
    }
    best
}
