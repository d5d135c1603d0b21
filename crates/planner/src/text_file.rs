//! Reads text files. They must be UTF-8, with or without a byte-order mark; errors name the encoding or format that was
//! found instead. Not here: parsing the text.

use crate::nearest;
use maquette_files::limits::Limit;
use std::io::ErrorKind;
use std::path::Path;

/// Why a file could not be read as text.
#[derive(Debug, PartialEq)]
pub(crate) struct Unreadable {
    /// What is wrong: `there is no such file`, `it is UTF-16, not UTF-8`.
    pub reason: String,
    /// How to fix it, if known.
    pub help: Option<String>,
    /// Whether it is a picture that may contain its settings.
    pub picture: bool,
}

/// Reads a text file; `written` is its path as the user wrote it, for hints.
pub(crate) fn read(path: &Path, written: &str, limit: Limit) -> Result<String, Unreadable> {
    let plain = |reason: String| Unreadable { reason, help: None, picture: false };
    let bytes = match read_bytes(path, limit) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            return Err(Unreadable { help: inside(path, written), ..plain("it is a folder".to_owned()) });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let help = neighbour(path, written);
            return Err(Unreadable { help, ..plain("there is no such file".to_owned()) });
        }
        Err(error) => return Err(plain(error.to_string())),
    };
    decode(&bytes)
}

/// The bytes of a file, which may be a pipe.
fn read_bytes(path: &Path, limit: Limit) -> Result<Vec<u8>, std::io::Error> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    maquette_files::read_stream(path, limit)
}

fn decode(bytes: &[u8]) -> Result<String, Unreadable> {
    let wrong = |reason: String, help: &str| {
        let help = (!help.is_empty()).then(|| help.to_owned());
        Err(Unreadable { reason, help, picture: false })
    };
    if let Some((name, picture)) = binary(bytes) {
        return Err(Unreadable { reason: format!("it is {name}, not text"), help: None, picture });
    }
    if let Some(name) = wide(bytes) {
        return wrong(format!("it is {name}, not UTF-8"), SAVE_WIDE);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => wrong("it is not text: it contains NUL bytes".to_owned(), ""),
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
        Err(error) => {
            let valid = error.valid_up_to();
            let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            let place = format!("line {line} has the byte 0x{:02X}", bytes[valid]);
            let control = |byte: &u8| *byte < b' ' && !b"\t\n\r\x0c".contains(byte);
            // In text in a legacy encoding, hardly any non-ASCII sequence is valid UTF-8 by accident.
            let partly = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
            match (bytes.iter().any(control), partly) {
                (true, _) => wrong("it is not text".to_owned(), ""),
                (_, true) => wrong(format!("it is not valid UTF-8: {place}"), ""),
                _ => {
                    let reason = "it is in a legacy encoding such as Latin-1 or Windows-1252, not in UTF-8";
                    wrong(format!("{reason}: {place}"), SAVE)
                }
            }
        }
    }
}

const SAVE: &str = "save it as UTF-8: in Notepad, with `Save as` and `Encoding: UTF-8`";
const SAVE_WIDE: &str = "save it as UTF-8: in Notepad, with `Save as` and `Encoding: UTF-8`; in PowerShell, with \
                         `| Out-File -Encoding utf8` in place of `>`";

/// The name of a binary format, and whether it is a picture that may contain its settings.
fn binary(bytes: &[u8]) -> Option<(&'static str, bool)> {
    let known: [(usize, &[u8], &str, bool); 11] = [
        (0, b"\x89PNG\r\n\x1a\n", "a PNG image", true),
        (0, b"\xff\xd8\xff", "a JPEG image", true),
        (8, b"WEBPVP8", "a WebP image", true),
        (0, b"GIF87a", "a GIF image", false),
        (0, b"GIF89a", "a GIF image", false),
        (4, b"ftyphei", "a HEIC image", false),
        (4, b"ftypmif1", "a HEIC image", false),
        (4, b"ftypavif", "an AVIF image", false),
        (0, b"%PDF-", "a PDF document", false),
        (0, b"PK\x03\x04", "a ZIP archive or an office document", false),
        (8, b"{\"", "a safetensors file", false),
    ];
    let (_, _, name, picture) =
        known.into_iter().find(|(at, magic, name, _)| match bytes.get(*at..*at + magic.len()) {
            // Text may have a brace there, too. A safetensors header is shorter than 2^32 bytes, so zeros precede it.
            Some(found) if *name == "a safetensors file" => found == *magic && bytes[4..8] == [0; 4],
            found => found == Some(magic),
        })?;
    Some((name, picture))
}

/// The name of a text's 16-bit or 32-bit encoding; `None` if it has none.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("UTF-16"),
        _ => {}
    }
    // Without a byte-order mark, it is UTF-16 if it decodes as text and some upper halves are zero, as for ASCII characters.
    let pairs = bytes.as_chunks::<2>().0;
    // UTF-16 of most scripts is not valid UTF-8. If it is, most upper halves must be control characters.
    let accident = std::str::from_utf8(bytes).is_ok();
    let decode = |upper: usize, unit: fn([u8; 2]) -> u16| {
        let count = |is: fn(u8) -> bool| pairs.iter().filter(|pair| is(pair[upper])).count();
        let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
        let is_text = text.into_iter().all(|c| c.is_ok_and(|c| !c.is_control() || "\t\n\r".contains(c)));
        is_text
            && count(|byte| byte == 0) > 0
            && (!accident || count(|byte| byte < b' ') * 4 >= pairs.len() * 3)
    };
    (decode(1, u16::from_le_bytes) || decode(0, u16::from_be_bytes)).then_some("UTF-16")
}

/// A hint that suggests the file in the same folder, with the same extension, whose name is nearest.
fn neighbour(path: &Path, written: &str) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let ending = path.extension().unwrap_or("toml".as_ref());
    let names = files(path.parent()?, ending);
    let near = nearest::nearest(wanted, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}{near}`?", &written[..written.rfind(['/', '\\']).map_or(0, |at| at + 1)]))
}

/// A hint that suggests the experiment files in a folder.
fn inside(folder: &Path, written: &str) -> Option<String> {
    let written = written.trim_end_matches(['/', '\\']);
    match &files(folder, "toml".as_ref())[..] {
        [] => None,
        [name] => Some(format!("did you mean `{written}/{name}`?")),
        names => Some(format!("use one of its files: {}", nearest::list(names.iter().map(String::as_str)))),
    }
}

/// The names of a folder's files with that extension, sorted.
fn files(folder: &Path, ending: &std::ffi::OsStr) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| {
        let path = entry.path();
        path.is_file() && path.extension() == Some(ending)
    });
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn errors_name_the_encoding() {
        let check = |bytes: &[u8], expected: Result<&str, &str>| {
            let text = decode(bytes).map_err(|unreadable| unreadable.reason);
            assert_eq!(text.as_deref().map_err(String::as_str), expected, "{bytes:?}");
        };
        check(b"", Ok(""));
        check("Mucha, é 日本".as_bytes(), Ok("Mucha, é 日本"));
        check("\u{feff}Mucha".as_bytes(), Ok("Mucha"));
        let wide = Err("it is UTF-16, not UTF-8");
        for text in
            ["prompt = \"a cat\"\n", "Dürer\r\nMunch\r\n", "日本\n浮世絵\n葛飾北斎\n", "Репин\nВрубель"]
        {
            check(&utf16(&format!("\u{feff}{text}"), u16::to_le_bytes), wide);
            check(&utf16(&format!("\u{feff}{text}"), u16::to_be_bytes), wide);
            check(&utf16(text, u16::to_le_bytes), wide);
            check(&utf16(text, u16::to_be_bytes), wide);
            check(text.as_bytes(), Ok(text));
        }
        check(b"\xff\xfe\0\0a\0\0\0", Err("it is UTF-32, not UTF-8"));
        let legacy = "it is in a legacy encoding such as Latin-1 or Windows-1252, not in UTF-8";
        check(b"D\xfcrer", Err(&format!("{legacy}: line 1 has the byte 0xFC")));
        check(b"Munch\n\x84Klimt\x93\n", Err(&format!("{legacy}: line 2 has the byte 0x84")));
        check(b"D\xc3\xbcrer\n\xff\n", Err("it is not valid UTF-8: line 2 has the byte 0xFF"));
        check(b"a\0bc", Err("it is not text: it contains NUL bytes"));
        check(b"\x01\x02\xff\xff", Err("it is not text"));
        check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Err("it is a PNG image, not text"));
        check(b"RIFF\x10\0\0\0WEBPVP8 ", Err("it is a WebP image, not text"));
        check(b"\x20\0\0\0\0\0\0\0{\"a\":{}}", Err("it is a safetensors file, not text"));
        check(b"lora = [{\"", Ok("lora = [{\""));
    }
}
