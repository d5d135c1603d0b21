//! Measures the difference between two pictures.

use crate::draw::Tile;
use maquette_core::Image;
use serde::Serialize;

/// How the pictures of a pair differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pixels {
    /// They do not differ.
    Identical,
    /// They differ in some pixels.
    Different {
        /// Mean absolute difference over all pixels and colours, in levels of 0 to 255.
        mean_absolute_error: f64,
        /// Peak signal-to-noise ratio in decibels: `10 log10(255² / mean squared difference)`. Identical pictures have
        /// an infinite one, these a finite one.
        psnr: f64,
        /// The largest difference of a colour, in levels of 0 to 255.
        max_difference: u8,
        /// The share of pixels that differ in any colour, 0 to 1.
        share: f64,
    },
    /// They have different sizes, so pixels cannot be compared.
    Sizes {
        /// Width and height of the left picture.
        left: (u32, u32),
        /// Width and height of the right picture.
        right: (u32, u32),
    },
    /// At least one picture is missing.
    NoPicture {
        /// `done`, `failed: …` or `missing`.
        left: String,
        /// `done`, `failed: …` or `missing`.
        right: String,
    },
}

/// How similar two pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Every pixel is the same.
    Identical,
    /// The difference is as small as between devices, precisions or libraries with the same arithmetic: a peak
    /// signal-to-noise ratio of at least [`Likeness::CLOSE_PSNR`], and no colour off by more than
    /// [`Likeness::CLOSE_LEVELS`].
    Close,
    /// Anything else.
    Different,
}

impl Likeness {
    /// The minimum ratio of close pictures in decibels: a root mean square difference of 2.55 levels of 255.
    pub const CLOSE_PSNR: f64 = 40.0;

    /// The maximum difference of one colour in close pictures, in levels of 0 to 255. Needed because a small but visible
    /// change, such as a different eye in a large portrait, hardly affects the ratio.
    pub const CLOSE_LEVELS: u8 = 32;

    /// The name of the variant, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Likeness::Identical => "identical",
            Likeness::Close => "close",
            Likeness::Different => "different",
        }
    }
}

impl Pixels {
    /// Compares two pictures.
    pub fn of(left: &Image, right: &Image) -> Pixels {
        let size = |image: &Image| (image.width(), image.height());
        if size(left) != size(right) {
            return Pixels::Sizes { left: size(left), right: size(right) };
        }
        // Sums of whole numbers are exact, whatever their order.
        let (mut absolute, mut squared, mut changed, mut max_difference) = (0u64, 0u64, 0usize, 0u8);
        for (a, b) in left.rgb().chunks_exact(3).zip(right.rgb().chunks_exact(3)) {
            changed += usize::from(a != b);
            for (a, b) in a.iter().zip(b) {
                let difference = a.abs_diff(*b);
                max_difference = max_difference.max(difference);
                absolute += u64::from(difference);
                squared += u64::from(difference).pow(2);
            }
        }
        if absolute == 0 {
            return Pixels::Identical;
        }
        let count = left.rgb().len() as f64;
        Pixels::Different {
            mean_absolute_error: absolute as f64 / count,
            psnr: 10.0 * (255.0 * 255.0 * count / squared as f64).log10(),
            max_difference,
            share: 3.0 * changed as f64 / count,
        }
    }

    /// How similar the pictures are. A missing picture is different.
    pub fn likeness(&self) -> Likeness {
        match *self {
            Pixels::Identical => Likeness::Identical,
            Pixels::Different { psnr, max_difference, .. }
                if psnr >= Likeness::CLOSE_PSNR && max_difference <= Likeness::CLOSE_LEVELS =>
            {
                Likeness::Close
            }
            Pixels::Different { .. } | Pixels::Sizes { .. } | Pixels::NoPicture { .. } => Likeness::Different,
        }
    }

    /// Whether there is no difference: identical pictures, or both missing for the same reason.
    pub fn is_same(&self) -> bool {
        match self {
            Pixels::Identical => true,
            Pixels::NoPicture { left, right } => left == right,
            Pixels::Different { .. } | Pixels::Sizes { .. } => false,
        }
    }
}

/// Compares two cells.
pub(super) fn compare(left: &Tile, right: &Tile) -> Pixels {
    let (Tile::Done(left), Tile::Done(right)) = (left, right) else {
        return Pixels::NoPicture { left: status(left), right: status(right) };
    };
    Pixels::of(left, right)
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
        Tile::Draft(_) => "a draft".to_owned(),
        Tile::Failed(error) => format!("failed: {error}"),
        Tile::Missing => "missing".to_owned(),
    }
}
