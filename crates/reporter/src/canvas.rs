//! The canvas: a page's pixels while it is drawn.

use crate::style::Colour;
use maquette_core::Image;
use serde::Serialize;

/// A rectangle of a page in pixels, from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Area {
    /// The first column to the right of it.
    pub fn right(&self) -> u32 {
        self.x + self.width
    }

    /// The first row below it.
    pub fn bottom(&self) -> u32 {
        self.y + self.height
    }
}

/// A page's pixels. Drawing is clipped at the edges.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Canvas {
    pub fn new(width: u32, height: u32, paper: Colour) -> Canvas {
        Canvas { width, height, rgb: paper.repeat(width as usize * height as usize) }
    }

    pub fn fill(&mut self, area: Area, colour: Colour) {
        for y in area.y..area.bottom().min(self.height) {
            for x in area.x..area.right().min(self.width) {
                let at = self.at(x, y);
                self.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// A frame one pixel wide, inside the area.
    pub fn outline(&mut self, area: Area, colour: Colour) {
        let Area { x, y, width, height } = area;
        self.fill(Area { height: 1, ..area }, colour);
        self.fill(Area { y: y + height.saturating_sub(1), height: 1, ..area }, colour);
        self.fill(Area { width: 1, ..area }, colour);
        self.fill(Area { x: x + width.saturating_sub(1), width: 1, ..area }, colour);
    }

    /// Blends one pixel over the existing one.
    pub fn blend(&mut self, x: i32, y: i32, colour: Colour, alpha: u8) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = self.at(x, y);
        let alpha = u32::from(alpha);
        for (under, over) in self.rgb[at..at + 3].iter_mut().zip(colour) {
            let mixed = u32::from(*under) * (255 - alpha) + u32::from(over) * alpha;
            *under = ((mixed + 127) / 255) as u8;
        }
    }

    pub fn paste(&mut self, image: &Image, x: u32, y: u32) {
        if x >= self.width || image.width() == 0 {
            return;
        }
        let bytes = 3 * image.width().min(self.width - x) as usize;
        let rows = image.rgb().chunks_exact(3 * image.width() as usize);
        for (row, y) in rows.zip(y..self.height) {
            let at = self.at(x, y);
            self.rgb[at..at + bytes].copy_from_slice(&row[..bytes]);
        }
    }

    pub fn into_image(self) -> Image {
        // The buffer is created with this size, which never changes.
        Image::new(self.width, self.height, self.rgb).expect("three bytes per pixel")
    }

    fn at(&self, x: u32, y: u32) -> usize {
        3 * (y as usize * self.width as usize + x as usize)
    }
}
