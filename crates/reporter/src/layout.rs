//! The layout of one page: areas in pixels, nothing drawn yet.

use crate::canvas::Area;
use crate::frame::{Frame, Labels};
use crate::style::SOFT;
use crate::text::{Text, Typesetter, uppercase};
use std::ops::Range;

/// One page: its size, and the items on it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub width: u32,
    pub height: u32,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub area: Area,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Text(Text),
    /// The place of a picture: row and column in the whole grid.
    Place(usize, usize),
    Reference,
    Hairline,
}

/// The part of the grid on one page, its heading and its number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// Values of the axes that make pages; empty if there are none.
    pub heading: String,
    /// Such as `2 of 5`; empty for the only page.
    pub number: String,
}

/// Lays out one page.
pub(crate) fn lay(frame: &Frame, part: &Part, types: &mut Typesetter) -> Layout {
    let width = frame.width(part.columns.len());
    let mut page = Page { frame, types, items: Vec::new(), width };
    let head = page.head(part);
    let below = page.grid(part, head);
    let height = page.foot(part, below);
    Layout { width, height, items: page.items }
}

/// Height of everything on a page except the rows of pictures, for a page with that many columns.
pub(crate) fn fixed_height(frame: &Frame, columns: usize, types: &mut Typesetter) -> u32 {
    let number = "999 of 999".to_owned();
    let tallest = |heading: &String| {
        let part = Part { rows: 0..0, columns: 0..columns, heading: heading.clone(), number: number.clone() };
        lay(frame, &part, types).height
    };
    let nothing = vec![String::new()];
    let headings = if frame.contents.headings.is_empty() { &nothing } else { &frame.contents.headings };
    headings.iter().map(tallest).max().unwrap_or(0)
}

struct Page<'a> {
    frame: &'a Frame,
    types: &'a mut Typesetter,
    items: Vec<Item>,
    width: u32,
}

impl Page<'_> {
    /// Title and heading, the reference picture in the corner, and the labels of the columns. Returns where the rows
    /// begin.
    fn head(&mut self, part: &Part) -> u32 {
        let (frame, style) = (self.frame, self.frame.style);
        let margin = style.margin();
        let grid_x = margin + frame.label_width;
        let mut left = margin;
        let mut title_x = margin;
        if let Some(name) = &frame.contents.reference {
            let edge = frame.reference;
            self.items.push(Item {
                area: Area { x: margin, y: margin, width: edge, height: edge },
                what: What::Reference,
            });
            left = self.text(
                Text::plain(&uppercase(name), style.axis(), edge),
                margin,
                margin + edge + style.space(0.4),
            );
            title_x = margin + edge.max(frame.label_width.saturating_sub(style.gutter())) + style.gutter();
        }
        let right = self.title(part, title_x);

        let named = |labels: &&Labels| !labels.axis.is_empty();
        let row_axis = frame.contents.rows.as_ref().filter(named).map(|labels| {
            let room = frame.label_width - style.gutter();
            Text::plain(&uppercase(&labels.axis), style.axis(), room)
        });
        let column_axis =
            frame.contents.columns.as_ref().or(frame.contents.captions.as_ref()).map(|labels| {
                let room = self.width - margin - grid_x;
                Text::plain(&uppercase(&labels.axis), style.axis(), room)
            });
        let row_axis_height = row_axis.as_ref().map_or(0, |text| self.types.measure(text).1);
        let column_axis_height = column_axis.as_ref().map_or(0, |text| self.types.measure(text).1);
        let between =
            if frame.contents.columns.is_some() && column_axis.is_some() { style.space(0.4) } else { 0 };
        let labels_height = column_axis_height + between + frame.columns_height;
        let left_gap = if left > margin { style.space(1.5) } else { 0 };
        let bottom = if frame.label_width > 0 {
            (left + left_gap + row_axis_height).max(right + labels_height)
        } else {
            (left + left_gap).max(right) + labels_height
        };

        if let Some(text) = row_axis {
            self.text(text, margin, bottom - row_axis_height);
        }
        if let Some(text) = column_axis {
            self.text(text, grid_x, bottom - labels_height);
        }
        if let Some(labels) = &frame.contents.columns {
            for (place, column) in part.columns.clone().enumerate() {
                let text = Text::plain(&labels.texts[column], frame.column_face, frame.column_width);
                let height = self.types.measure(&text).1;
                self.text(text, self.column_x(place), bottom - height);
            }
        }
        if bottom > margin { bottom + style.space(0.6) } else { bottom }
    }

    /// Title, heading and the prompts that all pictures share. Returns where the labels of the columns may begin.
    fn title(&mut self, part: &Part, x: u32) -> u32 {
        let (frame, style) = (self.frame, self.frame.style);
        let margin = style.margin();
        let room = self.width - margin - x;
        let mut y = margin;
        if !frame.contents.title.is_empty() {
            y = self.text(Text::plain(&frame.contents.title, style.title(), room), x, y);
        }
        if !part.heading.is_empty() {
            let above = if y == margin { 0 } else { style.page_space(0.2) };
            y = self.text(Text::plain(&part.heading, style.heading(), room), x, y + above);
        }
        for (i, pairs) in frame.contents.prompts.iter().enumerate() {
            let above = if i == 0 { 0.5 } else { 0.15 };
            let text = frame.paragraph(pairs, room.min(style.page_space(50.0)));
            y = self.text(text, x, y + style.page_space(above));
        }
        if y > margin { y + style.space(1.75) } else { y }
    }

    /// Rows of pictures with their labels. Returns where they end.
    fn grid(&mut self, part: &Part, top: u32) -> u32 {
        let frame = self.frame;
        let mut y = top;
        for row in part.rows.clone() {
            if row > part.rows.start {
                y += frame.row_gap();
            }
            if let Some(labels) = &frame.contents.rows {
                let room = frame.label_width - frame.style.gutter();
                self.text(Text::plain(&labels.texts[row], frame.row_face, room), frame.style.margin(), y);
            }
            for (place, column) in part.columns.clone().enumerate() {
                let x = self.column_x(place);
                let area = Area { x, y, width: frame.tile.0, height: frame.tile.1 };
                if let Some(labels) = &frame.contents.captions {
                    let Some(label) = labels.texts.get(row * frame.contents.count.1 + column) else {
                        continue;
                    };
                    let text = Text::plain(label, frame.caption_face, frame.column_width);
                    self.text(text, x, area.bottom() + frame.caption_gap());
                }
                self.items.push(Item { area, what: What::Place(row, column) });
            }
            y += frame.row_heights[row];
        }
        y
    }

    /// A hairline, the constant settings, and the page's number. Returns the height of the page.
    fn foot(&mut self, part: &Part, top: u32) -> u32 {
        let (frame, style) = (self.frame, self.frame.style);
        let margin = style.margin();
        let content = self.width - 2 * margin;
        let number = Text::plain(&part.number, style.small(), content);
        let number = Text { spans: vec![(part.number.clone(), SOFT)], ..number };
        let number_width = if part.number.is_empty() { 0 } else { self.types.measure(&number).0 + 1 };
        let mut y = top;
        if !frame.contents.footer.is_empty() || number_width > 0 {
            y += style.page_space(1.75);
            let area = Area { x: margin, y, width: content, height: 1 };
            self.items.push(Item { area, what: What::Hairline });
            y += 1 + style.page_space(0.9);
        }
        if number_width > 0 {
            let number = Text { width: number_width, ..number };
            self.text(number, margin + content - number_width, y);
        }
        let taken = if number_width > 0 { number_width + style.gutter() } else { 0 };
        // Longer lines are hard to read.
        let measure = content.saturating_sub(taken).clamp(1, style.page_space(62.0));
        let mut end = y;
        if number_width > 0 {
            end += style.small().line_height() as u32;
        }
        for (i, pairs) in frame.contents.footer.iter().enumerate() {
            if i > 0 {
                y += style.page_space(0.3);
            }
            y = self.text(frame.paragraph(pairs, measure), margin, y);
        }
        end.max(y) + margin
    }

    /// Adds a text at a position; returns where it ends.
    fn text(&mut self, text: Text, x: u32, y: u32) -> u32 {
        let height = self.types.measure(&text).1;
        let area = Area { x, y, width: text.width, height };
        self.items.push(Item { area, what: What::Text(text) });
        y + height
    }

    fn column_x(&self, place: usize) -> u32 {
        let frame = self.frame;
        let step = frame.column_width + frame.style.gap();
        frame.style.margin() + frame.label_width + place as u32 * step
    }
}
