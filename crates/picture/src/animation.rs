//! Encodes animations, as GIF or WebP. The same frames give the same bytes.
//!
//! All frames of a GIF share one palette, and dithering depends on the place only, so that what does not change does not
//! flicker.

use crate::PictureError;
use color_quant::NeuQuant;
use gif::{DisposalMethod, Frame, Repeat};
use maquette_core::Image;
use std::borrow::Cow;
use std::collections::HashMap;
use webp::{AnimEncoder, AnimFrame, WebPConfig};

/// The colours of a GIF's palette.
const COLOURS: usize = 256;

/// The most pixels that the palette is computed from.
const SAMPLES: usize = 1 << 19;

/// The most colours that are kept exactly, and the share of the pixels, one in so many, from which a colour is: paper and
/// ink stay even.
const EXACT: usize = 16;
const EXACT_SHARE: usize = 200;

/// How far dithering moves a pixel at most, in levels.
const DITHER: i32 = 8;

/// Encodes frames of one size as a GIF file that repeats for ever. `seconds` is the time of each frame; GIF has hundredths.
///
/// # Errors
///
/// [`PictureError::Animation`] without frames, for frames of different sizes, or if they are too large for the format.
pub fn encode_gif(frames: &[&Image], seconds: f64) -> Result<Vec<u8>, PictureError> {
    let (width, height) = size(frames)?;
    let wrong = |error: gif::EncodingError| failed("GIF", &error.to_string());
    let edge = |edge: u32| u16::try_from(edge).map_err(|_| failed("GIF", "it is larger than 65535 pixels"));
    let mut palette = Palette::of(frames);
    let mut bytes = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut bytes, edge(width)?, edge(height)?, &palette.rgb()).map_err(wrong)?;
    encoder.set_repeat(Repeat::Infinite).map_err(wrong)?;
    let mut before: Option<Vec<u8>> = None;
    for frame in frames {
        let now = palette.indexed(frame);
        let changed =
            before.as_ref().map_or((0, 0, width, height), |before| changed(before, &now, width, height));
        let (left, top, columns, rows) = changed;
        let lines = (top..top + rows).flat_map(|y| {
            let start = (y * width + left) as usize;
            now[start..start + columns as usize].iter().copied()
        });
        encoder
            .write_frame(&Frame {
                delay: (seconds * 100.0).round().clamp(1.0, f64::from(u16::MAX)) as u16,
                dispose: DisposalMethod::Keep,
                left: edge(left)?,
                top: edge(top)?,
                width: edge(columns)?,
                height: edge(rows)?,
                buffer: Cow::Owned(lines.collect()),
                ..Frame::default()
            })
            .map_err(wrong)?;
        before = Some(now);
    }
    drop(encoder);
    Ok(bytes)
}

/// Encodes frames of one size as a WebP file that repeats for ever, almost without loss. `seconds` is the time of each frame; WebP has
/// thousandths.
///
/// # Errors
///
/// As for [`encode_gif`].
pub fn encode_animated_webp(frames: &[&Image], seconds: f64) -> Result<Vec<u8>, PictureError> {
    let (width, height) = size(frames)?;
    let mut config = WebPConfig::new().map_err(|()| failed("WebP", "the encoder cannot be configured"))?;
    // With loss, labels and paper next to a picture that changes would flicker. This rounds busy places a little.
    (config.lossless, config.near_lossless) = (1, 60);
    let mut encoder = AnimEncoder::new(width, height, &config);
    encoder.set_loop_count(0);
    for (number, frame) in frames.iter().enumerate() {
        let time = (number as f64 * seconds * 1000.0).round() as i32;
        encoder.add_frame(AnimFrame::from_rgb(frame.rgb(), width, height, time));
    }
    let encoded = encoder.try_encode().map_err(|error| failed("WebP", &format!("{error:?}")))?;
    Ok(encoded.to_vec())
}

fn size(frames: &[&Image]) -> Result<(u32, u32), PictureError> {
    let size = |frame: &Image| (frame.width(), frame.height());
    let first = frames.first().map(|frame| size(frame));
    match first {
        Some((width, height))
            if width > 0 && height > 0 && frames.iter().all(|frame| size(frame) == (width, height)) =>
        {
            Ok((width, height))
        }
        _ => Err(failed("an animation", "its frames have no pixels or different sizes")),
    }
}

fn failed(format: &'static str, problem: &str) -> PictureError {
    PictureError::Animation { format, problem: problem.to_owned() }
}

/// The rectangle that changes from one frame to the next: left, top, width, height; a single pixel if nothing does.
fn changed(before: &[u8], now: &[u8], width: u32, height: u32) -> (u32, u32, u32, u32) {
    let (mut left, mut top, mut right, mut bottom) = (width, height, 0, 0);
    for (at, _) in before.iter().zip(now).enumerate().filter(|(_, (before, now))| before != now) {
        let (x, y) = (at as u32 % width, at as u32 / width);
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    if right == 0 { (0, 0, 1, 1) } else { (left, top, right - left, bottom - top) }
}

/// The colours that all frames share.
struct Palette {
    /// Frequent colours, which are kept as they are.
    exact: Vec<[u8; 3]>,
    others: NeuQuant,
    /// The nearest colours so far.
    known: HashMap<[u8; 3], u8>,
}

impl Palette {
    fn of(frames: &[&Image]) -> Palette {
        let pixels: usize = frames.iter().map(|frame| frame.rgb().len() / 3).sum();
        // An odd step does not sample the same columns of every row.
        let step = pixels.div_ceil(SAMPLES) | 1;
        let samples = || frames.iter().flat_map(|frame| frame.rgb().as_chunks::<3>().0).step_by(step);
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        samples().for_each(|colour| *counts.entry(*colour).or_default() += 1);
        let least = (pixels / step).div_ceil(EXACT_SHARE).max(1);
        let mut exact: Vec<([u8; 3], usize)> =
            counts.into_iter().filter(|(_, count)| *count >= least).collect();
        exact.sort_by_key(|&(colour, count)| (std::cmp::Reverse(count), colour));
        exact.truncate(EXACT);
        let exact: Vec<[u8; 3]> = exact.into_iter().map(|(colour, _)| colour).collect();
        let rest: Vec<u8> = samples()
            .filter(|colour| !exact.contains(colour))
            .flat_map(|&[red, green, blue]| [red, green, blue, 255])
            .collect();
        let others = NeuQuant::new(1, COLOURS - exact.len(), &rest);
        Palette { exact, others, known: HashMap::new() }
    }

    fn rgb(&self) -> Vec<u8> {
        [self.exact.concat(), self.others.color_map_rgb()].concat()
    }

    /// The number of each pixel's colour.
    fn indexed(&mut self, frame: &Image) -> Vec<u8> {
        let width = frame.width() as usize;
        let pixels = frame.rgb().as_chunks::<3>().0.iter().enumerate();
        pixels
            .map(|(at, &colour)| match self.exact.iter().position(|exact| *exact == colour) {
                Some(exact) => exact as u8,
                None => {
                    let shift = dither(at % width, at / width);
                    self.nearest(colour.map(|level| (i32::from(level) + shift).clamp(0, 255) as u8))
                }
            })
            .collect()
    }

    fn nearest(&mut self, colour: [u8; 3]) -> u8 {
        if let Some(known) = self.known.get(&colour) {
            return *known;
        }
        let distance = |other: &[u8]| -> i32 {
            colour.iter().zip(other).map(|(&one, &other)| (i32::from(one) - i32::from(other)).pow(2)).sum()
        };
        let [red, green, blue] = colour;
        let other = self.others.index_of(&[red, green, blue, 255]);
        let near = self.others.lookup(other).map_or(i32::MAX, |near| distance(&near[..3]));
        let exact = (0..self.exact.len()).min_by_key(|&at| distance(&self.exact[at]));
        let nearest = match exact {
            Some(exact) if distance(&self.exact[exact]) < near => exact,
            _ => self.exact.len() + other,
        };
        // There are at most 256 colours.
        let nearest = nearest as u8;
        self.known.insert(colour, nearest);
        nearest
    }
}

/// Ordered dithering with Bayer's matrix of 4 by 4: from minus [`DITHER`] to plus [`DITHER`] levels.
fn dither(x: usize, y: usize) -> i32 {
    const BAYER: [[i32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
    (2 * BAYER[y % 4][x % 4] - 15) * DITHER / 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of paper with a coloured square that moves and a gradient that stays.
    fn frame(number: u32) -> Image {
        let pixel = |x: u32, y: u32| match (x, y) {
            (8..24, 8..24) => [200, (number * 60) as u8, 40],
            (32..64, _) => [(x * 3) as u8, (y * 3) as u8, 90],
            _ => [251, 250, 247],
        };
        let rgb = (0..48).flat_map(|y| (0..64).flat_map(move |x| pixel(x, y))).collect();
        Image::new(64, 48, rgb).unwrap()
    }

    fn decoded(bytes: &[u8]) -> Vec<(Vec<u8>, u16)> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).unwrap();
        let (width, mut canvas, mut frames) = (64, vec![0; 64 * 48 * 4], Vec::new());
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert!(frame.palette.is_none(), "no palettes of its own");
            for (row, line) in frame.buffer.chunks(4 * usize::from(frame.width)).enumerate() {
                let start = 4 * ((usize::from(frame.top) + row) * width + usize::from(frame.left));
                canvas[start..start + line.len()].copy_from_slice(line);
            }
            frames.push((canvas.clone(), frame.delay));
        }
        frames
    }

    #[test]
    fn what_does_not_change_is_the_same_in_all_frames_of_a_gif() {
        let frames: Vec<Image> = (0..4).map(frame).collect();
        let frames: Vec<&Image> = frames.iter().collect();
        let bytes = encode_gif(&frames, 0.5).unwrap();
        assert_eq!(bytes, encode_gif(&frames, 0.5).unwrap());
        let decoded = decoded(&bytes);
        assert_eq!(decoded.len(), 4);
        for ((rgba, delay), frame) in decoded.iter().zip(&frames) {
            assert_eq!(*delay, 50);
            for (at, (found, given)) in
                rgba.as_chunks::<4>().0.iter().zip(frame.rgb().as_chunks::<3>().0).enumerate()
            {
                let off = (0..3).map(|i| found[i].abs_diff(given[i])).max().unwrap();
                let flat = at % 64 < 32;
                assert!(if flat { off == 0 } else { off <= 32 }, "{at}: {found:?} for {given:?}");
                if !((8..24).contains(&(at % 64)) && (8..24).contains(&(at / 64))) {
                    assert_eq!(found, &decoded[0].0.as_chunks::<4>().0[at], "{at} flickers");
                }
            }
        }
    }

    #[test]
    fn a_webp_animation_is_deterministic_and_has_its_frames() {
        let frames: Vec<Image> = (0..3).map(frame).collect();
        let frames: Vec<&Image> = frames.iter().collect();
        let bytes = encode_animated_webp(&frames, 0.25).unwrap();
        assert_eq!(bytes, encode_animated_webp(&frames, 0.25).unwrap());
        let decoded = webp::AnimDecoder::new(&bytes).decode().unwrap();
        assert_eq!(decoded.len(), 3);
        let all: Vec<_> = decoded.into_iter().map(|frame| frame.get_image().to_vec()).collect();
        let channels = all[0].len() / (64 * 48);
        for at in (0..64 * 48).filter(|at| !((7..25).contains(&(at % 64)) && (7..25).contains(&(at / 64)))) {
            let pixel = |frame: &Vec<u8>| frame[at * channels..(at + 1) * channels].to_vec();
            assert!(all.iter().all(|frame| pixel(frame) == pixel(&all[0])), "{at} flickers");
        }
        let decoded = webp::AnimDecoder::new(&bytes).decode().unwrap();
        // The end of each frame.
        let times: Vec<i32> = decoded.into_iter().map(|frame| frame.get_time_ms()).collect();
        assert_eq!(times, [250, 500, 750]);
    }

    #[test]
    fn frames_that_do_not_fit_together_are_refused() {
        let (one, other) = (frame(0), Image::new(2, 2, vec![0; 12]).unwrap());
        for frames in [vec![], vec![&one, &other]] {
            assert!(matches!(encode_gif(&frames, 1.0), Err(PictureError::Animation { .. })));
            assert!(matches!(encode_animated_webp(&frames, 1.0), Err(PictureError::Animation { .. })));
        }
    }
}
