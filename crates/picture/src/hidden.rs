//! Texts hidden in pixels, which survive sites that remove all metadata: NovelAI writes them into the alpha channel, and
//! an extension of A1111's web UI into any channel.
//!
//! The lowest bit of each value, column by column from the left and each column from the top, is a bit of: a signature of
//! 15 bytes, the length of the text in bits as a big-endian u32, the text. After NovelAI/novelai-image-metadata and
//! ashen-sensored/sd_webui_stealth_pnginfo.

use crate::decode::decode_pixels;
use crate::read_texts::MOST;
use flate2::read::MultiGzDecoder;
use image::DynamicImage;
use std::io::Read;
use std::path::Path;

/// The text hidden in the pixels of a picture; `None` if there is none, or if the picture cannot be decoded.
///
/// # Errors
///
/// A sentence without a full stop if a text is announced but cannot be read.
pub fn read_hidden_text(bytes: &[u8]) -> Option<Result<String, String>> {
    let (picture, _) = decode_pixels(Path::new(""), bytes).ok()?;
    let channels: &[&[usize]] = match picture {
        DynamicImage::ImageRgba8(_) => &[&[3], &[0, 1, 2]],
        DynamicImage::ImageRgb8(_) => &[&[0, 1, 2]],
        _ => return None,
    };
    let pixels = Pixels {
        width: picture.width() as usize,
        height: picture.height() as usize,
        channels: picture.color().channel_count().into(),
        values: picture.as_bytes(),
    };
    channels.iter().find_map(|channels| text(&mut pixels.bytes(channels)))
}

struct Pixels<'a> {
    width: usize,
    height: usize,
    channels: usize,
    values: &'a [u8],
}

impl Pixels<'_> {
    /// The bytes that the lowest bits of these channels make, the highest bit first.
    fn bytes(&self, channels: &[usize]) -> impl Iterator<Item = u8> {
        let bit = move |number: usize| {
            let (pixel, channel) = (number / channels.len(), channels[number % channels.len()]);
            let (x, y) = (pixel / self.height, pixel % self.height);
            self.values[(y * self.width + x) * self.channels + channel] & 1
        };
        let bits = self.width * self.height * channels.len();
        (0..bits / 8).map(move |byte| (8 * byte..8 * byte + 8).fold(0, |bits, at| bits << 1 | bit(at)))
    }
}

/// The text after a signature; `None` without one.
fn text(bytes: &mut impl Iterator<Item = u8>) -> Option<Result<String, String>> {
    let signature: Vec<u8> = bytes.take(15).collect();
    let packed = match signature.as_slice() {
        b"stealth_pngcomp" | b"stealth_rgbcomp" => true,
        b"stealth_pnginfo" | b"stealth_rgbinfo" => false,
        _ => return None,
    };
    let length: Vec<u8> = bytes.take(4).collect();
    let bits = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let content: Vec<u8> = bytes.take(bits.div_ceil(8)).collect();
    if content.len() < bits.div_ceil(8) {
        return Some(Err("the text hidden in the pixels is longer than the picture".to_owned()));
    }
    let wrong = |problem: String| format!("the text hidden in the pixels cannot be read: {problem}");
    let unpacked = if packed { unpack(&content) } else { Ok(content) };
    let text = unpacked.and_then(|text| String::from_utf8(text).map_err(|error| error.to_string()));
    Some(text.map_err(wrong))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(packed).take(MOST as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(|error| error.to_string())?;
    match unpacked.len() > MOST {
        true => Err(format!("it unpacks to more than {MOST} bytes")),
        false => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(signature: &[u8], bits: u32, content: &[u8]) -> Option<Result<String, String>> {
        text(&mut [signature, &bits.to_be_bytes(), content].concat().into_iter())
    }

    #[test]
    fn a_text_follows_its_signature_and_length() {
        assert_eq!(message(b"stealth_pnginfo", 40, b"a cat and more"), Some(Ok("a cat".to_owned())));
        assert_eq!(message(b"stealth_rgbinfo", 0, b""), Some(Ok(String::new())));
        assert_eq!(message(b"stealth_pngtext", 40, b"a cat"), None);
        assert_eq!(text(&mut b"stealth_pnginfo\0".iter().copied()), None);
        let too_long = message(b"stealth_pnginfo", u32::MAX, b"a cat").unwrap().unwrap_err();
        assert_eq!(too_long, "the text hidden in the pixels is longer than the picture");
        for (signature, content) in [(b"stealth_pngcomp", b"a cat"), (b"stealth_pnginfo", b"a \xff\xff\xff")]
        {
            let error = message(signature, 40, content).unwrap().unwrap_err();
            assert!(error.starts_with("the text hidden in the pixels cannot be read: "), "{error}");
        }
    }

    #[test]
    fn bits_go_down_the_columns() {
        let pixels = Pixels { width: 2, height: 4, channels: 1, values: &[2, 1, 3, 0, 0, 1, 1, 0] };
        assert_eq!(pixels.bytes(&[0]).collect::<Vec<_>>(), [0b0101_1010]);
        let pixels =
            Pixels { width: 1, height: 4, channels: 3, values: &[1, 2, 2, 0, 1, 9, 1, 0, 1, 9, 9, 8] };
        assert_eq!(pixels.bytes(&[0, 1]).collect::<Vec<_>>(), [0b1001_1011]);
    }
}
