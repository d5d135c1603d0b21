//! The style of a page: all colours, sizes and distances.
//!
//! Text is dark grey on off-white, in few sizes, with wide margins and hairlines. Every size is a multiple of one unit,
//! which grows with the size of the pictures, so that a page of large pictures stays readable when it is zoomed out.

/// Red, green and blue.
pub(crate) type Colour = [u8; 3];

pub(crate) const PAPER: Colour = [251, 250, 247];
pub(crate) const INK: Colour = [38, 37, 35];
pub(crate) const SOFT: Colour = [122, 118, 110];
pub(crate) const HAIRLINE: Colour = [221, 217, 208];
pub(crate) const MISSING: Colour = [243, 241, 235];
pub(crate) const MISSING_EDGE: Colour = [228, 224, 215];
pub(crate) const FAILED: Colour = [247, 230, 223];
pub(crate) const FAILED_INK: Colour = [148, 58, 40];

/// The default maximum edge of a page in pixels, including margins, which viewers, chat programs and printers still
/// accept.
pub(crate) const MAX_EDGE: u32 = 6000;
/// The maximum number of pixels of a page, which bounds its memory.
pub(crate) const MAX_PIXELS: u64 = 24_000_000;
/// The least value of the maximum edge, whatever the plan sets: on smaller pages labelled pictures are not readable.
pub(crate) const MIN_EDGE: u32 = 640;

/// Pictures are shown at their own size up to this longest edge.
pub(crate) const TILE: u32 = 512;
/// Small pictures, up to [`TINY`], are enlarged by the largest whole number that keeps them within this.
pub(crate) const TINY_TILE: u32 = 256;
/// The longest edge of a small picture. On today's screens a 128-pixel picture must be enlarged to be judged.
pub(crate) const TINY: u32 = 128;
/// In a large grid, pictures are shrunk to no less than this before the grid is split into pages.
pub(crate) const SMALLEST_TILE: u32 = 160;

/// The sizes of one sheet, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    /// The size of a label; distances between pictures and labels follow.
    pub unit: f32,
    /// The size of the text around the grid: larger on wide pages, which are viewed zoomed out.
    pub page: f32,
}

/// A size of letters with its colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Face {
    /// Size in pixels.
    pub size: f32,
    /// Semi-bold rather than regular.
    pub strong: bool,
    /// Extra space between letters, as a fraction of the size.
    pub tracking: f32,
    /// Colour of the letters.
    pub colour: Colour,
}

impl Face {
    /// The distance between baselines, in pixels.
    pub fn line_height(&self) -> f32 {
        (self.size * 1.36).round()
    }

    /// The same letters at another size.
    pub fn sized(self, size: f32) -> Face {
        Face { size, ..self }
    }
}

impl Style {
    /// The style for pictures shown at `tile` pixels, `columns` side by side on pages of at most `max_edge`.
    pub fn new(tile: (u32, u32), columns: usize, max_edge: u32) -> Style {
        let unit = (tile.0.max(tile.1) as f32 / 16.0).clamp(14.0, 20.0).round();
        let width = (tile.0 as f32 * columns as f32).min(max_edge as f32);
        Style { unit, page: (unit * (width / 1800.0).clamp(1.0, 1.8)).round() }
    }

    /// A distance of that many units.
    pub fn space(&self, units: f32) -> u32 {
        (self.unit * units).round() as u32
    }

    /// A distance around the grid.
    pub fn page_space(&self, units: f32) -> u32 {
        (self.page * units).round() as u32
    }

    pub fn margin(&self) -> u32 {
        self.page_space(3.0)
    }

    /// Between pictures.
    pub fn gap(&self) -> u32 {
        self.space(0.75)
    }

    /// Between a picture's row and its labels.
    pub fn gutter(&self) -> u32 {
        self.space(1.5)
    }

    pub fn title(&self) -> Face {
        Face { size: (self.page * 1.75).round(), strong: true, tracking: -0.005, colour: INK }
    }

    pub fn heading(&self) -> Face {
        Face { size: (self.page * 1.2).round(), strong: false, tracking: 0.0, colour: INK }
    }

    /// Constant settings.
    pub fn small(&self) -> Face {
        Face { size: (self.page * 0.9).round(), strong: false, tracking: 0.0, colour: INK }
    }

    /// Names of axes: small, spaced, in a soft colour.
    pub fn axis(&self) -> Face {
        Face { size: (self.unit * 0.8).round(), strong: true, tracking: 0.06, colour: SOFT }
    }

    pub fn label(&self) -> Face {
        Face { size: self.unit, strong: false, tracking: 0.0, colour: INK }
    }

    /// The sizes of labels, the preferred one first; smaller labels are not readable.
    pub fn label_sizes(&self) -> impl Iterator<Item = f32> {
        let unit = self.unit;
        [1.0, 0.9, 0.8, 0.7].into_iter().map(move |part| (unit * part).max(11.0))
    }
}
