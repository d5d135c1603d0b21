//! The reference picture: from a file to pixels of the target's size.
//!
//! Orientation as its EXIF says, alpha flattened on white, cut to the target's aspect, resized with Pillow's Lanczos.
//! What the VAE makes of it is not decided here.

use fast_image_resize::images::Image as Pixels;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
use maquette_core::{Fit, Image};
use std::path::{Path, PathBuf};

/// A reference picture that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InitImageError {
    /// The file cannot be read.
    #[error("cannot read the picture `{}`", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no picture.
    #[error("`{}` is no picture that can be read; allowed: PNG, JPEG, WebP", .file.display())]
    NoPicture {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// The pixels cannot be resized.
    #[error("the picture cannot be resized to {width}x{height}")]
    Resize {
        /// Target width.
        width: u32,
        /// Target height.
        height: u32,
        /// What the resizer said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads a picture as a person sees it: turned as its EXIF says, transparent parts on white.
pub fn read(file: &Path) -> Result<Image, InitImageError> {
    let unreadable = |source| InitImageError::Unreadable { file: file.to_owned(), source };
    let no_picture = |source| InitImageError::NoPicture { file: file.to_owned(), source };
    let reader = ImageReader::open(file).and_then(ImageReader::with_guessed_format).map_err(unreadable)?;
    let mut decoder = reader.into_decoder().map_err(no_picture)?;
    let orientation = decoder.orientation().map_err(no_picture)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(no_picture)?;
    picture.apply_orientation(orientation);
    Ok(from_rgb(on_white(picture)))
}

/// What `Fit::Contain` puts around a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// Its mean colour.
    Mean,
    /// White: around a mask.
    White,
}

/// The picture at exactly `width` x `height`. A picture that has that size already is left alone.
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
                Margin::White => Rgb([255; 3]),
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

/// The largest part with the target's aspect, its edges rounded to whole pixels.
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
    // Pillow's bicubic has a = -0.5, which others call Catmull-Rom.
    resize_with(FilterType::CatmullRom, picture, whole, width, height)
}

fn resize(picture: &Image, cut: Cut, width: u32, height: u32) -> Result<Image, InitImageError> {
    resize_with(FilterType::Lanczos3, picture, cut, width, height)
}

/// Pillow's `resize` of a part, one direction after the other, rounded to levels in between.
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

/// Whether Pillow goes down before it goes across; found by asking Pillow 13 about a thousand pairs of sizes. Earlier
/// ones always went across first. Where levels overshoot and are cut, the order shows.
fn shrinks_down_first(cut: Cut, width: u32, height: u32) -> bool {
    let (less_wide, less_high) =
        (i64::from(cut.width) - i64::from(width), i64::from(cut.height) - i64::from(height));
    less_high > 0 && 2 * less_wide < less_high
}

/// One pass of the resizer, in f32: its own fixed point for levels is coarser than Pillow's, and left both directions
/// it would always go down first.
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

fn mean_colour(picture: &Image) -> Rgb<u8> {
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    let mean = |channel: usize| {
        let sum: u64 = picture.rgb().iter().skip(channel).step_by(3).map(|&level| u64::from(level)).sum();
        ((sum + pixels / 2) / pixels) as u8
    };
    Rgb([mean(0), mean(1), mean(2)])
}

/// The picture in the middle of a canvas of one colour.
fn on_canvas(picture: &Image, colour: Rgb<u8>, width: u32, height: u32) -> Image {
    let mut canvas = RgbImage::from_pixel(width, height, colour);
    let (left, top) = ((width - picture.width()) / 2, (height - picture.height()) / 2);
    for (index, pixel) in picture.rgb().chunks_exact(3).enumerate() {
        let (x, y) = (index as u32 % picture.width(), index as u32 / picture.width());
        canvas.put_pixel(left + x, top + y, Rgb([pixel[0], pixel[1], pixel[2]]));
    }
    from_rgb(canvas)
}

fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let transparent = picture.into_rgba8();
    RgbImage::from_fn(transparent.width(), transparent.height(), |x, y| {
        let [red, green, blue, alpha] = transparent.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|level| over_white(level, alpha)))
    })
}

/// `level * alpha + 255 * (1 - alpha)`, rounded to nearest, as Pillow's `alpha_composite` does on an opaque ground.
fn over_white(level: u8, alpha: u8) -> u8 {
    let sum = u32::from(level) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    ((sum + 127) / 255) as u8
}

fn from_rgb(picture: RgbImage) -> Image {
    let (width, height) = picture.dimensions();
    // An RgbImage always holds three bytes for each of its pixels.
    Image::new(width, height, picture.into_raw()).expect("three bytes a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Image {
        let level = |at: u32, of: u32| (at * 255 / of) as u8;
        from_rgb(RgbImage::from_fn(width, height, |x, y| Rgb([level(x, width), level(y, height), 90])))
    }

    #[test]
    fn a_cut_has_the_targets_aspect() {
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
    fn a_picture_of_the_right_size_is_left_alone() {
        let picture = gradient(24, 16);
        for &how in Fit::ALL {
            assert_eq!(fit(&picture, how, Margin::Mean, 24, 16).unwrap(), picture, "{how}");
        }
    }

    /// Pillow's own results (`tests/fixtures/resize`): orientation, alpha, cuts and Lanczos.
    #[test]
    fn pictures_are_read_and_resized_as_pillow_does_it() {
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
            let how = Fit::from_word(&case.fit).unwrap();
            let picture =
                fit(&read(&folder.join(&case.input)).unwrap(), how, Margin::Mean, case.width, case.height)
                    .unwrap();
            let expected = read(&folder.join(&case.expected)).unwrap();
            assert_eq!((expected.width(), expected.height()), (case.width, case.height), "{}", case.name);
            let differences = picture.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b));
            // JPEG decoders differ by a level or two before any resizing.
            let allowed = if case.input.ends_with("jpg") { 3 } else { 1 };
            assert!(differences.max() <= Some(allowed), "{}: off by {:?}", case.name, {
                picture.rgb().iter().zip(expected.rgb()).map(|(a, b)| a.abs_diff(*b)).max()
            });
        }
    }

    #[test]
    fn what_is_no_picture_is_said_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.png");
        std::fs::write(&file, "not a picture").unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains("notes.png") && error.contains("PNG, JPEG, WebP"), "{error}");
        let error = read(&folder.path().join("missing.png")).unwrap_err().to_string();
        assert!(error.contains("missing.png"), "{error}");
    }
}
