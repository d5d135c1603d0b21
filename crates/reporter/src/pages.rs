//! The pages of a plan's contact sheet, and the places of cells on them.

use crate::axes::{Arrangement, Shape, SheetError, arrange};
use crate::canvas::Area;
use crate::constants::{constants, sizes};
use crate::cut::{Cut, cut};
use crate::frame::{Contents, Frame, Labels};
use crate::layout::{Layout, Part, What, lay};
use crate::text::Typesetter;
use maquette_core::Plan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One page of a contact sheet: its name and its cells. Small; nothing is drawn yet.
#[derive(Debug, Clone)]
pub struct PageSpec {
    /// A name for its file without extension, unique within the sheet: `seed-7`.
    pub name: String,
    /// The values of the axes that make pages, such as `seed 7`; empty if there are none.
    pub heading: String,
    /// Its number, from 1.
    pub number: usize,
    /// The number of pages of the sheet.
    pub of: usize,
    pub(crate) frame: Arc<Frame>,
    pub(crate) part: Part,
    shape: Shape,
    /// The page's coordinates on the axes that make pages; 0 on the others.
    pub(crate) base: Vec<usize>,
}

/// A cell and the area of its picture on a page, in pixels. The picture is centred in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PlacedCell {
    /// The cell's index in the plan.
    pub index: usize,
    /// The area of its picture.
    pub area: Area,
}

/// The pages of a plan's contact sheet, in order; empty for a plan without cells.
///
/// Rows, columns and sizes follow `plan.sheet`. Pages without cells are left out. If all cells share one `init_image`, it
/// is shown in the corner.
pub fn pages(plan: &Plan) -> Result<Vec<PageSpec>, SheetError> {
    Ok(pages_as(plan, &arrange(plan)?))
}

/// The pages of a plan, arranged in a given way.
pub(crate) fn pages_as(plan: &Plan, arrangement: &Arrangement) -> Vec<PageSpec> {
    if plan.is_empty() {
        return Vec::new();
    }
    let headings = headings(plan, arrangement);
    let contents = contents(plan, arrangement.shape, &headings);
    let Cut { frame, rows, columns } = cut(&contents, &sizes(plan), &plan.sheet, &mut Typesetter::new());
    let frame = Arc::new(frame);
    let mut pages = Vec::new();
    let parts = rows.len() * columns.len();
    for (base, heading) in &headings {
        for (part, (rows, columns)) in
            rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows, columns))).enumerate()
        {
            let mut name = file_name(plan, arrangement, base);
            if parts > 1 {
                let digits = parts.to_string().len();
                name = format!("{name}-part-{:0digits$}", part + 1);
            }
            let part = Part {
                rows: rows.clone(),
                columns: columns.clone(),
                heading: heading.clone(),
                number: String::new(),
            };
            let shape = arrangement.shape;
            let page = PageSpec {
                name,
                heading: heading.clone(),
                number: 0,
                of: 0,
                frame: frame.clone(),
                part,
                shape,
                base: base.clone(),
            };
            if page.has_cells(plan) {
                pages.push(page);
            }
        }
    }
    number(&mut pages);
    pages
}

impl PageSpec {
    /// Width and height of the page in pixels.
    pub fn size(&self) -> (u32, u32) {
        let layout = self.layout(&mut Typesetter::new());
        (layout.width, layout.height)
    }

    /// The cells on the page and their areas, row by row; positions that were filtered out are left out.
    pub fn cells(&self, plan: &Plan) -> Vec<PlacedCell> {
        let layout = self.layout(&mut Typesetter::new());
        let placed = layout.items.iter().filter_map(|item| match item.what {
            What::Place(row, column) => {
                Some(PlacedCell { index: self.index_at(plan, row, column)?, area: item.area })
            }
            _ => None,
        });
        placed.collect()
    }

    /// The characters in the labels, titles and settings of all pages of this sheet that no font has, sorted by code
    /// point. They are drawn as boxes.
    pub fn missing_glyphs(&self) -> Vec<char> {
        self.frame.contents.missing_glyphs(&mut Typesetter::new())
    }

    /// The left edges of the columns and the top edges of the rows of pictures, in pixels, also of those without cells.
    pub fn edges(&self) -> (Vec<u32>, Vec<u32>) {
        let layout = self.layout(&mut Typesetter::new());
        let places = layout.items.iter().filter(|item| matches!(item.what, What::Place(..)));
        let areas: Vec<Area> = places.map(|item| item.area).collect();
        let edges =
            |edge: fn(&Area) -> u32| areas.iter().map(edge).collect::<BTreeSet<_>>().into_iter().collect();
        (edges(|area| area.x), edges(|area| area.y))
    }

    /// Whether the page has only a part of its grid, which is too large for one page.
    pub(crate) fn is_part(&self) -> bool {
        let whole = self.frame.contents.count;
        (self.part.rows.len(), self.part.columns.len()) != whole
    }

    pub(crate) fn layout(&self, types: &mut Typesetter) -> Layout {
        lay(&self.frame, &self.part, types)
    }

    /// The index of the cell at a row and a column of the whole grid; `None` if it was filtered out.
    pub(crate) fn index_at(&self, plan: &Plan, row: usize, column: usize) -> Option<usize> {
        let mut coordinates = self.base.clone();
        match self.shape {
            Shape::Single => {}
            Shape::Gallery(axis) => coordinates[axis] = row * self.frame.contents.count.1 + column,
            Shape::Matrix { rows, columns } => {
                if let Some(axis) = rows {
                    coordinates[axis] = row;
                }
                if let Some(axis) = columns {
                    coordinates[axis] = column;
                }
            }
        }
        plan.index_at(&coordinates)
    }

    fn has_cells(&self, plan: &Plan) -> bool {
        let mut places =
            self.part.rows.clone().flat_map(|row| self.part.columns.clone().map(move |c| (row, c)));
        places.any(|(row, column)| self.index_at(plan, row, column).is_some())
    }
}

/// The content of a plan's sheet.
fn contents(plan: &Plan, shape: Shape, headings: &[(Vec<usize>, String)]) -> Contents {
    let labels = |axis: usize| Labels {
        axis: plan.axes[axis].name.clone(),
        texts: plan.axes[axis].values.iter().map(|value| label_text(&value.label)).collect(),
    };
    let length = |axis: Option<usize>| axis.map_or(1, |axis| plan.axes[axis].values.len());
    let constants = constants(plan);
    let title = if plan.title.is_empty() { &plan.name } else { &plan.title };
    let reference = constants.iter().find(|(name, _)| name == "init_image").map(|(name, _)| name.clone());
    let (prompts, rest): (Vec<_>, Vec<_>) =
        constants.into_iter().partition(|(name, _)| name == "prompt" || name == "negative_prompt");
    let prompts = prompts.into_iter().map(|pair| vec![pair]).collect();
    let contents = Contents {
        title: title.clone(),
        headings: headings.iter().map(|(_, heading)| heading.clone()).collect(),
        reference,
        prompts,
        footer: if rest.is_empty() { Vec::new() } else { vec![rest] },
        ..Contents::default()
    };
    match shape {
        Shape::Single => Contents { count: (1, 1), ..contents },
        Shape::Gallery(axis) => {
            let count = plan.axes[axis].values.len();
            let across = across(count);
            Contents { captions: Some(labels(axis)), count: (count.div_ceil(across), across), ..contents }
        }
        Shape::Matrix { rows, columns } => Contents {
            rows: rows.map(labels),
            columns: columns.map(labels),
            count: (length(rows), length(columns)),
            ..contents
        },
    }
}

/// The text of a label on a sheet: `(empty)` for an empty one.
fn label_text(label: &str) -> String {
    if label.trim().is_empty() { "(empty)".to_owned() } else { label.to_owned() }
}

/// The coordinates and the heading of each combination of the axes that make pages.
fn headings(plan: &Plan, arrangement: &Arrangement) -> Vec<(Vec<usize>, String)> {
    let mut pages = vec![(vec![0; plan.axes.len()], Vec::new())];
    for &axis in &arrangement.pages {
        let axis_values = &plan.axes[axis];
        pages = pages
            .into_iter()
            .flat_map(|(base, words): (Vec<usize>, Vec<String>)| {
                axis_values.values.iter().enumerate().map(move |(at, value)| {
                    let (mut base, mut words) = (base.clone(), words.clone());
                    base[axis] = at;
                    words.push(format!("{} {}", axis_values.name, label_text(&value.label)));
                    (base, words)
                })
            })
            .collect();
    }
    pages.into_iter().map(|(base, words)| (base, words.join("  ·  "))).collect()
}

/// The number of columns for the cells of a single axis: a few are placed in one row, many in a block that is somewhat
/// wider than high and has as few empty places as possible.
fn across(count: usize) -> usize {
    if count <= 6 {
        return count.max(1);
    }
    let root = (count as f64).sqrt();
    let choices = root.floor() as usize..=(root * 1.5).ceil() as usize;
    let empty = |across: usize| count.div_ceil(across) * across - count;
    // The share of empty places, plus the deviation from an aspect ratio of 5 to 4.
    let cost = |across: usize| {
        let shape = (across as f64 / (count as f64 * 1.25).sqrt()).ln().abs();
        empty(across) as f64 / count as f64 + shape
    };
    choices.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(count)
}

pub(crate) fn file_name(plan: &Plan, arrangement: &Arrangement, base: &[usize]) -> String {
    let words: Vec<String> = arrangement
        .pages
        .iter()
        .map(|&axis| {
            let axis_values = &plan.axes[axis];
            slug(&format!("{} {}", axis_values.name, axis_values.values[base[axis]].label))
        })
        .collect();
    if words.is_empty() { "sheet".to_owned() } else { words.join("_") }
}

/// Words as part of a file name that is valid on all systems: letters, digits, `.`, `_` and `-`, in lower case, of limited
/// length.
pub(crate) fn slug(words: &str) -> String {
    let mut slug = String::new();
    for letter in words.chars().flat_map(char::to_lowercase) {
        // Counted in bytes, as in file systems.
        if slug.len() >= 48 {
            break;
        }
        match letter {
            letter if letter.is_alphanumeric() || letter == '_' => slug.push(letter),
            '.' if slug.ends_with(|last: char| last.is_ascii_digit()) => slug.push('.'),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches(['-', '.']).to_owned()
}

/// Numbers the pages, and makes their names unique.
fn number(pages: &mut [PageSpec]) {
    let of = pages.len();
    for (i, page) in pages.iter_mut().enumerate() {
        page.number = i + 1;
        page.of = of;
        if of > 1 {
            page.part.number = format!("{} of {of}", i + 1);
        }
    }
    make_unique(pages.iter_mut().map(|page| &mut page.name));
}

/// Appends a number to names that occurred before.
pub(crate) fn make_unique<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut taken = BTreeSet::new();
    for original in names {
        let mut name = original.clone();
        let mut copy = 2;
        while !taken.insert(name.clone()) {
            name = format!("{original}-{copy}");
            copy += 1;
        }
        *original = name;
    }
}
