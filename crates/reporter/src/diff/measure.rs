//! How far two pictures are apart.

use crate::draw::Tile;
use maquette_core::Image;
use serde::Serialize;

/// How the pictures of a pair differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pixels {
    /// Not at all.
    Identical,
    /// In some pixels.
    Different {
        /// Mean absolute difference over all pixels and colours, in levels of 0 to 255.
        mean_absolute_error: f64,
        /// Peak signal-to-noise ratio in decibels: `10 log10(255² / mean squared difference)`. Identical pictures have
        /// an infinite one, these a finite one.
        psnr: f64,
    },
    /// They cannot be compared pixel by pixel.
    Sizes {
        /// Width and height of the left one.
        left: (u32, u32),
        /// Width and height of the right one.
        right: (u32, u32),
    },
    /// At least one side has none.
    NoPicture {
        /// `done`, `failed: …` or `missing`.
        left: String,
        /// `done`, `failed: …` or `missing`.
        right: String,
    },
}

impl Pixels {
    /// Whether there is nothing to tell: identical pictures, or none on both sides for the same reason.
    pub fn is_same(&self) -> bool {
        match self {
            Pixels::Identical => true,
            Pixels::NoPicture { left, right } => left == right,
            Pixels::Different { .. } | Pixels::Sizes { .. } => false,
        }
    }
}

/// Compares what there is of two cells.
pub(super) fn compare(left: &Tile, right: &Tile) -> Pixels {
    let (Tile::Done(left), Tile::Done(right)) = (left, right) else {
        return Pixels::NoPicture { left: status(left), right: status(right) };
    };
    let size = |image: &Image| (image.width(), image.height());
    if size(left) != size(right) {
        return Pixels::Sizes { left: size(left), right: size(right) };
    }
    // Whole numbers all the way: the sums are exact, whatever their order.
    let (mut absolute, mut squared) = (0u64, 0u64);
    for (&a, &b) in left.rgb().iter().zip(right.rgb()) {
        let difference = u64::from(a.abs_diff(b));
        absolute += difference;
        squared += difference * difference;
    }
    if absolute == 0 {
        return Pixels::Identical;
    }
    let count = left.rgb().len() as f64;
    Pixels::Different {
        mean_absolute_error: absolute as f64 / count,
        psnr: 10.0 * (255.0 * 255.0 * count / squared as f64).log10(),
    }
}

/// Absolute difference of two pictures of the same size, times `factor`; `None` for different sizes.
pub(super) fn difference(left: &Image, right: &Image, factor: u32) -> Option<Image> {
    if (left.width(), left.height()) != (right.width(), right.height()) {
        return None;
    }
    let amplified = |(&a, &b): (&u8, &u8)| (u32::from(a.abs_diff(b)) * factor).min(255) as u8;
    let rgb = left.rgb().iter().zip(right.rgb()).map(amplified).collect();
    Image::new(left.width(), left.height(), rgb)
}

fn status(tile: &Tile) -> String {
    match tile {
        Tile::Done(_) => "done".to_owned(),
        Tile::Failed(error) => format!("failed: {error}"),
        Tile::Missing => "missing".to_owned(),
    }
}
