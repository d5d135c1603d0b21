//! The measurements that all pages of a sheet share, such as sizes of pictures and labels, so that pages line up.

use crate::style::{Colour, Face, INK, SOFT, Style};
use crate::text::{Text, Typesetter, uppercase};
use std::collections::BTreeSet;
use std::ops::Range;

/// The content of a sheet, not yet measured. Rows and columns are those of the whole grid, not of one page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub title: String,
    /// The tallest of these determines the space for headings.
    pub headings: Vec<String>,
    /// The name under the reference picture, if there is one.
    pub reference: Option<String>,
    pub rows: Option<Labels>,
    pub columns: Option<Labels>,
    /// One caption per position of the grid, row by row.
    pub captions: Option<Labels>,
    /// The number of rows and columns.
    pub count: (usize, usize),
    /// Paragraphs below the title: pairs of name and value.
    pub prompts: Vec<Vec<(String, String)>>,
    /// Paragraphs below the pictures.
    pub footer: Vec<Vec<(String, String)>>,
}

impl Contents {
    /// The characters in labels, titles and settings that no font has, sorted by code point.
    pub fn missing_glyphs(&self, types: &mut Typesetter) -> Vec<char> {
        let labels = [&self.rows, &self.columns, &self.captions].into_iter().flatten();
        let labels = labels.flat_map(|labels| labels.texts.iter().chain([&labels.axis]));
        let pairs = self.prompts.iter().chain(&self.footer).flatten();
        let pairs = pairs.flat_map(|(name, value)| [name, value]);
        let texts = [&self.title].into_iter().chain(&self.headings).chain(labels).chain(pairs);
        let missing: BTreeSet<char> = texts.flat_map(|text| types.missing_glyphs(text)).collect();
        missing.into_iter().collect()
    }
}

/// Labels along one side, and the name of their axis.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub axis: String,
    pub texts: Vec<String>,
}

/// The measured contents.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub contents: Contents,
    pub style: Style,
    /// The space for one picture.
    pub tile: (u32, u32),
    /// The whole factor by which smaller pictures may be enlarged.
    pub enlarge: u32,
    pub column_width: u32,
    pub row_heights: Vec<u32>,
    /// Width of the row labels, including the distance to the pictures; 0 if there are none.
    pub label_width: u32,
    pub row_face: Face,
    pub column_face: Face,
    pub caption_face: Face,
    /// Height of the tallest column label.
    pub columns_height: u32,
    /// Longest edge of the reference picture.
    pub reference: u32,
    /// The maximum width of a page.
    pub max_edge: u32,
}

impl Frame {
    /// Measures all labels for pictures of `tile` pixels on pages of at most `max_edge`.
    pub fn measure(
        contents: Contents,
        tile: (u32, u32),
        enlarge: u32,
        max_edge: u32,
        types: &mut Typesetter,
    ) -> Frame {
        let style = Style::new(tile, contents.count.1, max_edge);
        let face = style.label();
        let mut frame = Frame {
            style,
            tile,
            enlarge,
            column_width: tile.0,
            row_heights: vec![tile.1; contents.count.0],
            label_width: 0,
            row_face: face,
            column_face: face,
            caption_face: face,
            columns_height: 0,
            reference: 0,
            max_edge,
            contents,
        };
        frame.set_columns(types);
        frame.set_captions(types);
        frame.set_rows(types);
        frame
    }

    fn set_columns(&mut self, types: &mut Typesetter) {
        // A column of tiny pictures is widened for its labels, but only up to a limit.
        let roomy = self.style.space(7.0);
        for labels in [&self.contents.columns, &self.contents.captions].into_iter().flatten() {
            let natural = natural_width(&labels.texts, self.style.label(), types);
            self.column_width = self.column_width.max(natural.min(roomy));
        }
        if let Some(labels) = &self.contents.columns {
            let limit = self.style.space(6.5);
            let (face, heights) = fit(&labels.texts, self.style, self.column_width, limit, types);
            self.column_face = face;
            self.columns_height = heights.into_iter().max().unwrap_or(0);
        }
    }

    fn set_captions(&mut self, types: &mut Typesetter) {
        let Some(labels) = &self.contents.captions else { return };
        let limit = self.style.space(6.5);
        let (face, heights) = fit(&labels.texts, self.style, self.column_width, limit, types);
        self.caption_face = face;
        for (row, heights) in heights.chunks(self.contents.count.1.max(1)).enumerate() {
            let tallest = heights.iter().copied().max().unwrap_or(0);
            self.row_heights[row] = self.tile.1 + self.caption_gap() + tallest;
        }
    }

    fn set_rows(&mut self, types: &mut Typesetter) {
        let style = self.style;
        // A page of one column must fit labels and a picture side by side.
        let available =
            self.max_edge.saturating_sub(2 * style.margin() + self.column_width + style.gutter()).max(1);
        if self.contents.reference.is_some() {
            let edge = self.tile.0.max(self.tile.1).min(style.space(12.0)).max(style.space(7.0));
            self.reference = edge.min(available);
        }
        let Some(labels) = &self.contents.rows else { return };
        let columns = self.contents.count.1 as u32;
        let share = (columns * (self.column_width + style.gap()) / 4).max(style.space(9.0));
        let share = share.min(style.space(22.0)).min(available).max(self.reference);
        let natural = natural_width(&labels.texts, style.label(), types);
        let axis = types.measure(&Text::plain(&uppercase(&labels.axis), style.axis(), style.space(22.0))).0;
        let width = natural.min(share).max(axis.min(share)).max(self.reference);
        let (face, heights) = fit(&labels.texts, style, width, self.tile.1, types);
        self.row_face = face;
        self.label_width = width + style.gutter();
        for (row, height) in self.row_heights.iter_mut().zip(heights) {
            *row = (*row).max(height);
        }
    }

    /// Between a picture and its caption.
    pub fn caption_gap(&self) -> u32 {
        self.style.space(0.4)
    }

    /// Width of a page with that many columns.
    pub fn width(&self, columns: usize) -> u32 {
        let columns = columns as u32;
        let pictures = columns * self.column_width + columns.saturating_sub(1) * self.style.gap();
        // Space for a title and a line of settings, even beside a single picture.
        let beside = if self.contents.reference.is_some() { self.reference + self.style.gutter() } else { 0 };
        let margins = 2 * self.style.margin();
        let least = (beside + self.style.page_space(32.0)).min(self.max_edge.saturating_sub(margins));
        (self.label_width + pictures).max(least) + margins
    }

    /// Height of some rows of pictures with the distances between them.
    pub fn rows_height(&self, rows: Range<usize>) -> u32 {
        let gaps = rows.len().saturating_sub(1) as u32 * self.row_gap();
        self.row_heights[rows].iter().sum::<u32>() + gaps
    }

    /// The distance from one row of pictures to the next; larger below captions.
    pub fn row_gap(&self) -> u32 {
        if self.contents.captions.is_some() { self.style.space(1.5) } else { self.style.gap() }
    }

    /// Settings as text: names in a soft colour, values dark, pairs separated by dots.
    pub fn paragraph(&self, pairs: &[(String, String)], width: u32) -> Text {
        let mut spans: Vec<(String, Colour)> = Vec::new();
        for (i, (name, value)) in pairs.iter().enumerate() {
            if i > 0 {
                // The dot may end a line but not begin one.
                spans.push(("\u{a0}\u{a0}·  ".to_owned(), SOFT));
            }
            // A name and the start of its value are on the same line.
            spans.push((format!("{name}\u{a0}"), SOFT));
            spans.push((value.clone(), INK));
        }
        Text { spans, face: self.style.small(), width }
    }
}

/// The width of the widest label on one line.
fn natural_width(texts: &[String], face: Face, types: &mut Typesetter) -> u32 {
    let far = 1 << 20;
    texts.iter().map(|text| types.measure(&Text::plain(text, face, far)).0 + 1).max().unwrap_or(0)
}

/// The largest size at which every label is at most `limit` pixels high, or else the smallest size; one size for all
/// labels, with the height of each.
fn fit(texts: &[String], style: Style, width: u32, limit: u32, types: &mut Typesetter) -> (Face, Vec<u32>) {
    let mut fitted = (style.label(), Vec::new());
    for size in style.label_sizes() {
        let face = style.label().sized(size);
        let heights: Vec<u32> =
            texts.iter().map(|text| types.measure(&Text::plain(text, face, width)).1).collect();
        let fits = heights.iter().all(|&height| height <= limit);
        fitted = (face, heights);
        if fits {
            break;
        }
    }
    fitted
}
