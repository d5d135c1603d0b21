//! Where JPEG and WebP files keep texts: their EXIF blocks, XMP packets and comments.
//!
//! Only the framing is read here, without decoding pixels: whatever is complete is found, whatever is cut off is skipped.

/// The texts' places in one file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Blocks<'a> {
    /// EXIF blocks, without the marker that JPEG writes before them.
    pub exif: Vec<&'a [u8]>,
    /// XMP packets.
    pub xmp: Vec<&'a [u8]>,
    /// JPEG's comments.
    pub comments: Vec<&'a [u8]>,
}

/// The start of a JPEG segment with an EXIF block. Some tools write it into WebP files, too.
const EXIF: &[u8] = b"Exif\0\0";

/// The start of a JPEG segment with an XMP packet.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The blocks of a JPEG or WebP file; none in any other file.
pub(crate) fn blocks(bytes: &[u8]) -> Blocks<'_> {
    if bytes.starts_with(b"\xff\xd8") {
        jpeg(&bytes[2..])
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        webp(&bytes[12..])
    } else {
        Blocks::default()
    }
}

/// Segments `ff MARKER LENGTH DATA`, the length in two big-endian bytes that count themselves (ITU-T T.81, B.1.1).
fn jpeg(mut rest: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    while let Some((&0xff, tail)) = rest.split_first() {
        let Some((&marker, tail)) = tail.split_first() else { break };
        rest = match marker {
            // Fill bytes before a marker.
            0xff => {
                rest = &rest[1..];
                continue;
            }
            // Markers without data.
            0x01 | 0xd0..=0xd8 => tail,
            // The picture begins or ends.
            0xd9 | 0xda => break,
            _ => {
                let Some(&[high, low]) = tail.first_chunk::<2>() else { break };
                let Some(data) = tail.get(2..usize::from(u16::from_be_bytes([high, low]))) else { break };
                match marker {
                    0xe1 if data.starts_with(EXIF) => blocks.exif.push(&data[EXIF.len()..]),
                    0xe1 if data.starts_with(XMP) => blocks.xmp.push(&data[XMP.len()..]),
                    0xfe => blocks.comments.push(data),
                    _ => {}
                }
                &tail[2 + data.len()..]
            }
        };
    }
    blocks
}

/// Chunks `FOURCC LENGTH DATA`, the length in four little-endian bytes, padded to an even length (RFC 9649).
///
/// Chunks are taken wherever they are, even if the header's flags do not announce them.
fn webp(mut rest: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some(data) = tail.get(..length) else { break };
        match &head[..4] {
            b"EXIF" => blocks.exif.push(data.strip_prefix(EXIF).unwrap_or(data)),
            b"XMP " => blocks.xmp.push(data),
            _ => {}
        }
        rest = tail.get(length + length % 2..).unwrap_or_default();
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        [&[0xff, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
    }

    #[test]
    fn segments_of_a_jpeg() {
        let file = [
            &b"\xff\xd8"[..],
            &segment(0xe0, b"JFIF\0"),
            &[0xff, 0xff],
            &segment(0xe1, b"Exif\0\0one"),
            &segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            &segment(0xfe, b"two"),
            &segment(0xda, b"Exif\0\0pixels"),
            &segment(0xfe, b"after the pixels"),
        ]
        .concat();
        let found = blocks(&file);
        assert_eq!(
            (found.exif, found.xmp, found.comments),
            (vec![&b"one"[..]], vec![&b"<x/>"[..]], vec![&b"two"[..]])
        );
        for cut in 0..file.len() {
            blocks(&file[..cut]);
        }
        // A length below two, which would not include itself.
        assert_eq!(blocks(b"\xff\xd8\xff\xe1\0\x01Exif"), Blocks::default());
    }

    #[test]
    fn chunks_of_a_webp() {
        let chunk = |name: &[u8; 4], data: &[u8]| {
            let mut chunk = [&name[..], &(data.len() as u32).to_le_bytes(), data].concat();
            chunk.resize(chunk.len() + data.len() % 2, 0);
            chunk
        };
        let file = [
            &b"RIFF\0\0\0\0WEBP"[..],
            &chunk(b"VP8 ", b"odd"),
            &chunk(b"EXIF", b"Exif\0\0one"),
            &chunk(b"XMP ", b"<x/>"),
            &chunk(b"EXIF", b"two"),
        ]
        .concat();
        assert_eq!(blocks(&file).exif, [&b"one"[..], b"two"]);
        assert_eq!(blocks(&file).xmp, [&b"<x/>"[..]]);
        for cut in 0..file.len() {
            blocks(&file[..cut]);
        }
    }
}
