//! The reference picture at the target's size: cropped to its aspect ratio, resized with Pillow's Lanczos.
//!
//! Not here: reading the file (`maquette-picture`) and encoding it.

use fast_image_resize::images::Image as Pixels;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use maquette_core::{Fit, Image};
use maquette_picture::PictureError;

/// A reference picture that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InitImageError {
    /// The file cannot be read, or is not a picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The pixels cannot be resized.
    #[error("the picture cannot be resized to {width}x{height}")]
    Resize {
        /// Target width.
        width: u32,
        /// Target height.
        height: u32,
        /// The resizer's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What surrounds a picture with `Fit::Contain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// The picture's mean colour.
    Mean,
    /// White: around a mask.
    White,
}

/// The picture at exactly `width` x `height`. A picture that already has that size is not changed.
pub fn fit(
    picture: &Image,
    fit: Fit,
    margin: Margin,
    width: u32,
    height: u32,
) -> Result<Image, InitImageError> {
    let whole = Cut { left: 0, top: 0, width: picture.width(), height: picture.height() };
    match fit {
        Fit::Stretch => resize(picture, whole, width, height),
        Fit::Crop => resize(picture, aspect_cut(picture, width, height, Anchor::Centre), width, height),
        Fit::Top => resize(picture, aspect_cut(picture, width, height, Anchor::Top), width, height),
        Fit::Contain => {
            let scale = f64::min(
                f64::from(width) / f64::from(picture.width()),
                f64::from(height) / f64::from(picture.height()),
            );
            let edge = |length: u32, limit: u32| ((f64::from(length) * scale).round() as u32).clamp(1, limit);
            let inner = resize(picture, whole, edge(picture.width(), width), edge(picture.height(), height))?;
            let colour = match margin {
                Margin::Mean => mean_colour(&inner),
                Margin::White => [255; 3],
            };
            Ok(on_canvas(&inner, colour, width, height))
        }
    }
}

/// A part of a picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

#[derive(Debug, Clone, Copy)]
enum Anchor {
    Centre,
    Top,
}

/// The largest part with the target's aspect ratio, its edges rounded to whole pixels.
fn aspect_cut(picture: &Image, width: u32, height: u32, anchor: Anchor) -> Cut {
    let (has_width, has_height) = (f64::from(picture.width()), f64::from(picture.height()));
    let aspect = f64::from(width) / f64::from(height);
    let cut_width = ((has_height * aspect).round() as u32).clamp(1, picture.width());
    let cut_height = ((has_width / aspect).round() as u32).clamp(1, picture.height());
    Cut {
        left: (picture.width() - cut_width) / 2,
        top: match anchor {
            Anchor::Centre => (picture.height() - cut_height) / 2,
            Anchor::Top => 0,
        },
        width: cut_width,
        height: cut_height,
    }
}

/// Pillow's `resize(size, BICUBIC)`.
pub(crate) fn bicubic(picture: &Image, width: u32, height: u32) -> Result<Image, InitImageError> {
    let whole = Cut { left: 0, top: 0, width: picture.width(), height: picture.height() };
    // Pillow's bicubic has a = -0.5, also called Catmull-Rom.
    resize_with(FilterType::CatmullRom, picture, whole, width, height)
}

fn resize(picture: &Image, cut: Cut, width: u32, height: u32) -> Result<Image, InitImageError> {
    resize_with(FilterType::Lanczos3, picture, cut, width, height)
}

/// Pillow's `resize` of a part: one direction after the other, rounded to levels in between.
fn resize_with(
    filter: FilterType,
    picture: &Image,
    cut: Cut,
    width: u32,
    height: u32,
) -> Result<Image, InitImageError> {
    if (cut.width, cut.height) == (width, height) && (width, height) == (picture.width(), picture.height()) {
        return Ok(picture.clone());
    }
    let part = cut_out(picture, cut);
    let between =
        if shrinks_down_first(cut, width, height) { (cut.width, height) } else { (width, cut.height) };
    let resized = convolve(filter, &part, (cut.width, cut.height), between)
        .and_then(|part| convolve(filter, &part, between, (width, height)));
    let failed = |source| InitImageError::Resize { width, height, source };
    let rgb = resized.map_err(failed)?;
    Image::new(width, height, rgb).ok_or_else(|| failed("the resizer lost bytes".into()))
}

/// Whether Pillow resizes vertically before horizontally, determined from Pillow 13 with a thousand pairs of sizes.
/// Earlier versions always resized horizontally first. The order matters where levels overshoot and are clamped.
fn shrinks_down_first(cut: Cut, width: u32, height: u32) -> bool {
    let (less_wide, less_high) =
        (i64::from(cut.width) - i64::from(width), i64::from(cut.height) - i64::from(height));
    less_high > 0 && 2 * less_wide < less_high
}

/// One pass of the resizer, in f32: its own fixed point for levels is coarser than Pillow's, and given both directions
/// it would always resize vertically first.
fn convolve(
    filter: FilterType,
    rgb: &[u8],
    from: (u32, u32),
    to: (u32, u32),
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let floats: Vec<u8> = rgb.iter().flat_map(|&level| f32::from(level).to_ne_bytes()).collect();
    let source = Pixels::from_vec_u8(from.0, from.1, floats, PixelType::F32x3)?;
    let mut target = Pixels::new(to.0, to.1, PixelType::F32x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize(&source, &mut target, &options)?;
    let level = |bytes: &[u8; 4]| (f32::from_ne_bytes(*bytes) + 0.5).floor().clamp(0.0, 255.0) as u8;
    Ok(target.buffer().as_chunks().0.iter().map(level).collect())
}

fn cut_out(picture: &Image, cut: Cut) -> Vec<u8> {
    let row = 3 * picture.width() as usize;
    let (left, width) = (3 * cut.left as usize, 3 * cut.width as usize);
    let rows = picture.rgb().chunks_exact(row).skip(cut.top as usize).take(cut.height as usize);
    rows.flat_map(|row| &row[left..left + width]).copied().collect()
}

fn mean_colour(picture: &Image) -> [u8; 3] {
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    let mean = |channel: usize| {
        let sum: u64 = picture.rgb().iter().skip(channel).step_by(3).map(|&level| u64::from(level)).sum();
        ((sum + pixels / 2) / pixels) as u8
    };
    [mean(0), mean(1), mean(2)]
}

/// A picture centred on a canvas of one colour.
fn on_canvas(picture: &Image, colour: [u8; 3], width: u32, height: u32) -> Image {
    let mut canvas = colour.repeat((width * height) as usize);
    let (left, top) = (((width - picture.width()) / 2) as usize, ((height - picture.height()) / 2) as usize);
    let row = 3 * picture.width() as usize;
    for (y, pixels) in picture.rgb().chunks_exact(row).enumerate() {
        let start = 3 * ((top + y) * width as usize + left);
        canvas[start..start + row].copy_from_slice(pixels);
    }
    // The canvas has three bytes for each of its pixels.
    Image::new(width, height, canvas).expect("three bytes a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_picture::decode;
    use std::path::Path;

    fn gradient(width: u32, height: u32) -> Image {
        let level = |at: u32, of: u32| (at * 255 / of) as u8;
        let pixels =
            (0..height).flat_map(|y| (0..width).map(move |x| [level(x, width), level(y, height), 90]));
        Image::new(width, height, pixels.flatten().collect()).unwrap()
    }

    #[test]
    fn a_cut_has_the_aspect_ratio_of_the_target() {
        let check = |size: (u32, u32), target: (u32, u32), anchor, expected| {
            let Cut { left, top, width, height } =
                aspect_cut(&gradient(size.0, size.1), target.0, target.1, anchor);
            assert_eq!((left, top, width, height), expected);
        };
        check((60, 40), (16, 16), Anchor::Centre, (10, 0, 40, 40));
        check((40, 61), (16, 16), Anchor::Centre, (0, 10, 40, 40));
        check((40, 60), (16, 16), Anchor::Top, (0, 0, 40, 40));
        check((30, 30), (64, 32), Anchor::Centre, (0, 7, 30, 15));
        check((1, 50), (64, 32), Anchor::Centre, (0, 24, 1, 1));
    }

    #[test]
    fn every_fit_gives_the_target_size() {
        for &how in Fit::ALL {
            for (size, target) in [((60, 40), (16, 24)), ((5, 7), (32, 32)), ((16, 16), (16, 16))] {
                let picture = fit(&gradient(size.0, size.1), how, Margin::Mean, target.0, target.1).unwrap();
                assert_eq!((picture.width(), picture.height()), target, "{how}");
            }
        }
    }

    #[test]
    fn a_picture_of_the_right_size_is_not_changed() {
        let picture = gradient(24, 16);
        for &how in Fit::ALL {
            assert_eq!(fit(&picture, how, Margin::Mean, 24, 16).unwrap(), picture, "{how}");
        }
    }

    /// Pillow's results (`tests/fixtures/resize`): orientation, alpha, crops and Lanczos.
    #[test]
    fn pictures_are_read_and_resized_as_in_pillow() {
        #[derive(serde::Deserialize)]
        struct File {
            cases: Vec<Case>,
        }
        #[derive(serde::Deserialize)]
        struct Case {
            name: String,
            input: String,
            width: u32,
            height: u32,
            fit: String,
            expected: String,
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/resize");
        let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
        for case in serde_json::from_str::<File>(&text).unwrap().cases {
            let how: Fit = case.fit.parse().unwrap();
            let picture =
                fit(&decode(&folder.join(&case.input)).unwrap(), how, Margin::Mean, case.width, case.height)
                    .unwrap();
            let expected = decode(&folder.join(&case.expected)).unwrap();
            assert_eq!((expected.width(), expected.height()), (case.width, case.height), "{}", case.name);
            let differences = picture.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b));
            // JPEG decoders differ by a level or two before any resizing.
            let allowed = if case.input.ends_with("jpg") { 3 } else { 1 };
            assert!(differences.max() <= Some(allowed), "{}: off by {:?}", case.name, {
                picture.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b)).max()
            });
        }
    }
}
