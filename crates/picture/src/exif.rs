//! The texts in an EXIF block: a TIFF structure of tags (CIPA DC-008, "Exif 2.32"; TIFF 6.0).
//!
//! It is read leniently, as other tools' writers need it: piexif leaves out the link to the next directory, Fooocus writes
//! the comment into the first directory, ComfyUI's texts have their keyword in front. Not read: numbers, thumbnails, and
//! makers' notes.

use crate::texts::Texts;

/// Tags with text, and their names. The directory does not matter.
const TEXT_TAGS: &[(u16, &str)] = &[
    (0x010e, "ImageDescription"),
    (0x010f, "Make"),
    (0x0110, "Model"),
    (0x0131, "Software"),
    (0x013b, "Artist"),
    (0x8298, "Copyright"),
    (0x9c9c, "XPComment"),
    (USER_COMMENT, "UserComment"),
];

/// The comment, which begins with eight bytes that name its encoding.
const USER_COMMENT: u16 = 0x9286;

/// The offset of the directory with the tags of EXIF itself.
const EXIF_DIRECTORY: u16 = 0x8769;

/// The bytes of each TIFF type that may hold text: BYTE, ASCII, UNDEFINED, and SHORT, which some tools use for UTF-16.
const TEXT_TYPES: &[(u16, usize)] = &[(1, 1), (2, 1), (7, 1), (3, 2)];

/// The most directories of a block: a file has the first one and EXIF's own.
const MOST_DIRECTORIES: usize = 16;

/// Adds the texts of a block: `parameters` for the comment, the keyword for a text that begins with one, such as
/// `prompt:{…}`, and the tag's name for any other.
pub(crate) fn read(block: &[u8], texts: &mut Texts) {
    let little = match block.get(..2) {
        Some(b"II") => true,
        Some(b"MM") => false,
        _ => return texts.problem("the EXIF block does not begin with its byte order".to_owned()),
    };
    let block = Block { bytes: block, little };
    let (mut next, mut seen) = (block.u32(4).into_iter().collect::<Vec<_>>(), Vec::new());
    while let Some(at) = next.pop() {
        if seen.len() == MOST_DIRECTORIES {
            return texts.problem(format!("the EXIF block has more than {MOST_DIRECTORIES} directories"));
        }
        if !seen.contains(&at) {
            seen.push(at);
            block.directory(at, &mut next, texts);
        }
    }
}

struct Block<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Block<'a> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize)
    }

    /// The entries of a directory: a count, then twelve bytes each. Entries beyond the end of the block do not exist.
    fn directory(&self, at: usize, next: &mut Vec<usize>, texts: &mut Texts) {
        for entry in 0..usize::from(self.u16(at).unwrap_or(0)) {
            let at = at + 2 + 12 * entry;
            let Some(tag) = self.u16(at).filter(|_| !texts.is_full()) else { return };
            if tag == EXIF_DIRECTORY {
                if next.len() < MOST_DIRECTORIES {
                    next.extend(self.u32(at + 8));
                }
            } else if let Some((_, name)) = TEXT_TAGS.iter().find(|(known, _)| *known == tag) {
                match self.value(at) {
                    None => texts.problem(format!("the EXIF tag {name} is cut off or not text")),
                    Some(value) if value.iter().all(|byte| *byte == 0) => {}
                    Some(value) => self.text(tag, name, value, texts),
                }
            }
        }
    }

    /// The bytes of an entry: `tag u16, type u16, count u32`, then the value if it fits into four bytes, or its offset.
    fn value(&self, at: usize) -> Option<&'a [u8]> {
        let kind = self.u16(at + 2)?;
        let (_, size) = TEXT_TYPES.iter().find(|(known, _)| *known == kind)?;
        let length = self.u32(at + 4)?.checked_mul(*size)?;
        let from = if length <= 4 { at + 8 } else { self.u32(at + 8)? };
        self.bytes.get(from..from.checked_add(length)?)
    }

    fn text(&self, tag: u16, name: &str, value: &[u8], texts: &mut Texts) {
        let (encoding, bytes) = if tag == USER_COMMENT { prefix(value) } else { (Encoding::Unknown, value) };
        let Some(text) = decode(encoding, bytes, self.little) else {
            return texts.problem(format!("the EXIF tag {name} has an unknown encoding"));
        };
        let (keyword, text) = match keyword(&text) {
            Some((keyword, text)) => (keyword, text.to_owned()),
            None if tag == USER_COMMENT => ("parameters".to_owned(), text),
            // SwarmUI's first versions wrote their JSON as the camera's model.
            None if text.starts_with('{') => ("parameters".to_owned(), text),
            None => (name.to_owned(), text),
        };
        texts.add(keyword, text);
    }
}

/// The keyword in front of JSON, in lower case, and the JSON: ComfyUI writes `prompt:{…}` and `workflow:{…}`, other nodes
/// `Prompt:{…}`; `parameters:` is followed by text.
fn keyword(text: &str) -> Option<(String, &str)> {
    let (keyword, rest) = text.split_once(':')?;
    let (keyword, rest) = (keyword.trim(), rest.trim_start());
    let word = !keyword.is_empty() && keyword.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c));
    let known = keyword.eq_ignore_ascii_case("parameters") || rest.starts_with(['{', '[']);
    (word && known).then(|| (keyword.to_ascii_lowercase(), rest))
}

/// How a text is encoded, as far as the file says.
#[derive(Clone, Copy, PartialEq)]
enum Encoding {
    /// Not said, or said to be ASCII, which tools also say of UTF-8.
    Unknown,
    /// UTF-16 of either byte order; some tools write UTF-8.
    Unicode,
    /// JIS X 0208, which tools write as ISO-2022-JP or Shift JIS.
    Jis,
}

/// The eight bytes in front of a comment, and the comment. Some tools leave them out.
fn prefix(value: &[u8]) -> (Encoding, &[u8]) {
    let known: [(&[u8; 8], Encoding); 5] = [
        (b"UNICODE\0", Encoding::Unicode),
        (b"ASCII\0\0\0", Encoding::Unknown),
        (b"UTF-8\0\0\0", Encoding::Unknown),
        (b"JIS\0\0\0\0\0", Encoding::Jis),
        (&[0; 8], Encoding::Unknown),
    ];
    let Some((start, rest)) = value.split_at_checked(8) else { return (Encoding::Unknown, value) };
    let found = known.iter().find(|(name, _)| start.eq_ignore_ascii_case(*name));
    found.map_or((Encoding::Unknown, value), |(_, encoding)| (*encoding, rest))
}

/// Text without the zero bytes at its end; `None` if there is none, or if it has an encoding that is not supported.
fn decode(encoding: Encoding, bytes: &[u8], little: bool) -> Option<String> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xfe, 0xff, rest @ ..] => utf16(rest, false),
        [0xff, 0xfe, rest @ ..] => utf16(rest, true),
        _ => {
            let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
            let zeros = bytes[..end].contains(&0);
            match (str::from_utf8(&bytes[..end]), encoding) {
                // Only the Latin letters of both are ASCII; ISO-2022-JP leaves them with an escape.
                (_, Encoding::Jis) if bytes.contains(&0x1b) || !bytes.is_ascii() => return None,
                // UTF-16 without any zero byte has no Latin letter, digit or space.
                (Ok(text), _) if !zeros && (encoding != Encoding::Unicode || text.contains(' ')) => {
                    text.to_owned()
                }
                _ if zeros || encoding == Encoding::Unicode => utf16(bytes, order(bytes, little)),
                // Latin-1.
                _ => bytes[..end].iter().map(|byte| char::from(*byte)).collect(),
            }
        }
    };
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether UTF-16 without a byte order mark is little-endian: the order that gives more characters below U+0250.
///
/// The standard has the block's order, which decides if neither gives more; piexif always writes big-endian, others
/// little-endian.
fn order(bytes: &[u8], little: bool) -> bool {
    let plain = |unit: fn([u8; 2]) -> u16| {
        bytes.chunks_exact(2).filter(|pair| (1..0x250).contains(&unit([pair[0], pair[1]]))).count()
    };
    match plain(u16::from_le_bytes).cmp(&plain(u16::from_be_bytes)) {
        std::cmp::Ordering::Equal => little,
        more => more.is_gt(),
    }
}

fn utf16(bytes: &[u8], little: bool) -> String {
    let unit = if little { u16::from_le_bytes } else { u16::from_be_bytes };
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with one entry in the first directory or in EXIF's, without the link to the next directory.
    fn block(little: bool, nested: bool, tag: u16, kind: u16, value: &[u8]) -> Vec<u8> {
        let u16 = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let u32 = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut block = [if little { b"II" } else { b"MM" }, &u16(42)[..], &u32(8)].concat();
        if nested {
            block.extend([&u16(1)[..], &u16(EXIF_DIRECTORY), &u16(4), &u32(1), &u32(22)].concat());
        }
        block.extend([&u16(1)[..], &u16(tag), &u16(kind), &u32(value.len() as u32)].concat());
        let mut inline = value.to_vec();
        inline.resize(4, 0);
        match value.len() <= 4 {
            true => block.extend(inline),
            false => block.extend([&u32(block.len() as u32 + 4)[..], value].concat()),
        }
        block
    }

    fn texts(block: &[u8]) -> Texts {
        let mut texts = Texts::default();
        read(block, &mut texts);
        texts
    }

    #[test]
    fn a_tag_of_either_directory_byte_order_and_type() {
        for little in [true, false] {
            for nested in [true, false] {
                for kind in [1, 2, 7] {
                    let block = block(little, nested, USER_COMMENT, kind, b"ASCII\0\0\0a cat");
                    assert_eq!(texts(&block).get("parameters"), Some("a cat"), "{little} {nested} {kind}");
                    for cut in 0..block.len() {
                        texts(&block[..cut]);
                    }
                }
                let texts = texts(&block(little, nested, 0x0131, 2, b"NAI\0"));
                assert_eq!(texts.get("Software"), Some("NAI"));
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_reported() {
        let check = |block: &[u8], expected: &str| assert_eq!(texts(block).unreadable, [expected]);
        check(b"", "the EXIF block does not begin with its byte order");
        let whole = block(true, true, USER_COMMENT, 7, b"ASCII\0\0\0a cat");
        check(&whole[..whole.len() - 1], "the EXIF tag UserComment is cut off or not text");
        check(
            &block(true, true, USER_COMMENT, 12, &[1; 16]),
            "the EXIF tag UserComment is cut off or not text",
        );
        let jis = block(true, true, USER_COMMENT, 7, b"JIS\0\0\0\0\0\x1b$BG-\x1b(B");
        check(&jis, "the EXIF tag UserComment has an unknown encoding");
        // A directory that contains itself.
        assert_eq!(texts(b"II\x2a\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"), Texts::default());
    }

    #[test]
    fn comments_of_each_encoding() {
        let check = |value: &[u8], expected: Option<&str>| {
            let (encoding, bytes) = prefix(value);
            assert_eq!(decode(encoding, bytes, true).as_deref(), expected, "{value:?}");
        };
        let unicode = |unit: fn(u16) -> [u8; 2], text: &str| {
            let mut bytes = b"UNICODE\0".to_vec();
            bytes.extend(text.encode_utf16().flat_map(unit));
            bytes
        };
        for text in ["a cat\nSteps: 20", "猫, Steps: 20", "é, é", "🎨 Steps: 20"] {
            check(&unicode(u16::to_be_bytes, text), Some(text));
            check(&unicode(u16::to_le_bytes, text), Some(text));
            check(&unicode(u16::to_be_bytes, &format!("\u{feff}{text}")), Some(text));
            check(&unicode(u16::to_le_bytes, &format!("\u{feff}{text}\0")), Some(text));
            check(&[b"UNICODE\0", text.as_bytes()].concat(), Some(text));
            check(&[b"ASCII\0\0\0", text.as_bytes()].concat(), Some(text));
            check(&[b"Unicode\0", text.as_bytes()].concat(), Some(text));
            check(&[&[0; 8], text.as_bytes()].concat(), Some(text));
        }
        // Without any Latin letter the block's order decides.
        check(&unicode(u16::to_le_bytes, "猫の絵"), Some("猫の絵"));
        check(b"ASCII\0\0\0a cat\0\0", Some("a cat"));
        check(b"ASCII\0\0\0caf\xe9", Some("café"));
        check(b"JIS\0\0\0\0\0a cat", Some("a cat"));
        check(b"JIS\0\0\0\0\0\x94\x4c", None);
        check(b"a cat, Steps: 20", Some("a cat, Steps: 20"));
        check(b"a cat", Some("a cat"));
        check(b"UNICODE\0\xd8", None);
        check(b"ASCII\0\0\0\0\0", None);
    }

    #[test]
    fn keywords_in_front_of_texts() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(keyword, text)| (keyword.to_owned(), text));
            assert_eq!(keyword(text), expected, "{text}");
        };
        check("prompt:{\"1\": 2}", Some(("prompt", "{\"1\": 2}")));
        check("Workflow: {}", Some(("workflow", "{}")));
        check("parameters:a cat\nSteps: 1", Some(("parameters", "a cat\nSteps: 1")));
        check("a cat: black", None);
        check("a cat\nSteps: {}", None);
        check(":{}", None);
    }
}
