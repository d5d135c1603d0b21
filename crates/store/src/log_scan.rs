//! Splits the bytes of a log into complete records and damaged parts.
//!
//! A log is CSV as the writer writes it: fields with commas, quotes or line breaks are quoted, and quotes inside them are
//! doubled. A crash tears the last record; a disk or an editor may damage any other. After a damaged record the next one is
//! found again: a row begins at the start of a line with the 64 digits of its cell.

use crate::fields::Fields;
use std::ops::Range;

/// The digits of a cell's name, with which every row begins.
const DIGITS: usize = 64;

/// A record, or a damaged part.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece<T> {
    /// Its position in the file.
    pub bytes: Range<usize>,
    /// Its fields and what they were found to be, or the problem, as the rest of a sentence about it.
    pub fields: Result<(Fields, T), String>,
}

/// What some bytes begin with.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    /// A complete record and its length in bytes, including the line break.
    Whole(Fields, usize),
    /// The bytes end before the record does.
    Torn,
    /// Invalid syntax: the problem, as the rest of a sentence about it.
    Broken(&'static str),
}

/// Passes every record from a position on to `take`, and returns where the last of them ends: anything after that was torn by a
/// crash.
///
/// `check` returns what the fields of a record that is well-formed CSV are, or the problem with them.
pub(crate) fn scan<T>(
    bytes: &[u8],
    from: usize,
    check: &dyn Fn(&Fields) -> Result<T, String>,
    take: &mut dyn FnMut(Piece<T>),
) -> usize {
    let (mut buffers, mut at) = (Buffers::default(), from);
    while at < bytes.len() {
        let (problem, torn) = match buffers.record(&bytes[at..]) {
            // An empty line, as editors leave behind.
            Record::Whole(fields, length) if fields.iter().eq([""]) => {
                at += length;
                continue;
            }
            Record::Whole(fields, length) => match check(&fields) {
                Ok(checked) if !swallows(&bytes[at..at + length], check) => {
                    take(Piece { bytes: at..at + length, fields: Ok((fields, checked)) });
                    at += length;
                    continue;
                }
                Ok(_) => ("has a quote that is closed in a later row".to_owned(), false),
                Err(problem) => (problem, false),
            },
            Record::Torn => ("has an unclosed quote".to_owned(), true),
            Record::Broken(problem) => (problem.to_owned(), false),
        };
        let end = match row_starts(bytes, at + 1).next() {
            Some(next) => next,
            None if torn => break,
            // Up to the last line break; the rest was torn by a crash.
            None => match bytes[at..].iter().rposition(|byte| *byte == b'\n') {
                Some(last) => at + last + 1,
                None => break,
            },
        };
        take(Piece { bytes: at..end, fields: Err(problem) });
        at = end;
    }
    at
}

/// Where rows seem to begin, from a position on: 64 hexadecimal digits, which may be capitals as in any name of a cell, and a
/// comma at the start of a line, or after zero bytes, which some file systems leave in place of lost data.
pub(crate) fn row_starts(bytes: &[u8], from: usize) -> impl Iterator<Item = usize> {
    let begins = |at: &usize| {
        let line = *at == 0 || matches!(bytes[at - 1], b'\n' | 0);
        let digits = || bytes[*at..*at + DIGITS].iter().all(u8::is_ascii_hexdigit);
        line && bytes.get(at + DIGITS) == Some(&b',') && digits()
    };
    (from..bytes.len()).filter(begins)
}

/// Whether a record contains another one inside its quotes, which means that a quote was lost or added.
fn swallows<T>(bytes: &[u8], check: &dyn Fn(&Fields) -> Result<T, String>) -> bool {
    let inner = &bytes[..bytes.len().saturating_sub(1)];
    if !inner.contains(&b'\n') && !inner.contains(&0) {
        return false;
    }
    let is_row =
        |at: usize| matches!(record(&bytes[at..]), Record::Whole(fields, _) if check(&fields).is_ok());
    row_starts(bytes, 1).any(is_row)
}

/// The record at the beginning of some bytes.
pub(crate) fn record(bytes: &[u8]) -> Record {
    Buffers::default().record(bytes)
}

/// What is known of a record while it is read, kept for the next one: rows are many, and growing a buffer for each costs more
/// than reading it.
#[derive(Default)]
struct Buffers {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Buffers {
    /// See [`record`].
    fn record(&mut self, bytes: &[u8]) -> Record {
        self.text.clear();
        self.ends.clear();
        read(bytes, &mut self.text, &mut self.ends)
    }
}

fn read(bytes: &[u8], text: &mut Vec<u8>, ends: &mut Vec<u32>) -> Record {
    let mut at = 0;
    loop {
        let start = text.len();
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match (bytes.get(at), bytes.get(at + 1)) {
                    (None, _) => return Record::Torn,
                    (Some(b'"'), Some(b'"')) => {
                        text.push(b'"');
                        at += 2;
                    }
                    (Some(b'"'), _) => break at += 1,
                    (Some(byte), _) => {
                        text.push(*byte);
                        at += 1;
                    }
                }
            }
        } else {
            while let Some(byte) = bytes.get(at).filter(|byte| !matches!(byte, b',' | b'\n' | b'"')) {
                text.push(*byte);
                at += 1;
            }
            // Spreadsheets end lines with CR LF.
            if bytes.get(at) == Some(&b'\n') && text.len() > start && text.last() == Some(&b'\r') {
                text.pop();
            }
        }
        match u32::try_from(text.len()) {
            Ok(end) => ends.push(end),
            Err(_) => return Record::Broken("is longer than 4 GiB"),
        }
        // Fields end before a comma or a line break, which are characters of their own.
        let whole = |length| match std::str::from_utf8(text) {
            Ok(text) => Record::Whole(Fields::new(text, ends), length),
            Err(_) => Record::Broken("is not UTF-8"),
        };
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) | (Some(b'\r'), None) => return Record::Torn,
            (Some(b','), _) => at += 1,
            (Some(b'\n'), _) => return whole(at + 1),
            (Some(b'\r'), Some(b'\n')) => return whole(at + 2),
            _ => return Record::Broken("has a misplaced quote"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let check = |text: &str, expected: &[&str]| {
            let fields = expected.iter().copied().collect();
            assert_eq!(record(text.as_bytes()), Record::Whole(fields, text.len()), "{text}");
        };
        check("a,b\n", &["a", "b"]);
        check("a,b\r\n", &["a", "b"]);
        check("\"a\"\r\n", &["a"]);
        check(",\n", &["", ""]);
        check("\"a, \"\"b\"\"\nc\",d\n", &["a, \"b\"\nc", "d"]);
        check("a,\"\"\n", &["a", ""]);
        for torn in ["", "a", "a,", "a,\"b\n", "a,\"b\"", "a,\"b\"\"\n", "\"a\"\r"] {
            assert_eq!(record(torn.as_bytes()), Record::Torn, "{torn}");
        }
        for broken in ["a\"b\n", "\"a\"b\n", "a,\"b\" \n"] {
            assert!(matches!(record(broken.as_bytes()), Record::Broken(_)), "{broken}");
        }
        assert!(matches!(record(b"\xff\n"), Record::Broken("is not UTF-8")));
    }

    #[test]
    fn a_torn_record_is_after_the_end() {
        let ends_at = |text: &str| {
            let check = |fields: &Fields| if fields.len() == 2 { Ok(()) } else { Err("fields".to_owned()) };
            scan(text.as_bytes(), 0, &check, &mut |_| ())
        };
        assert_eq!(ends_at(""), 0);
        assert_eq!(ends_at("cell,sta"), 0);
        assert_eq!(ends_at("a,b\n1,2\n"), 8);
        assert_eq!(ends_at("a,b\n1,2"), 4);
        assert_eq!(ends_at("a,b\n1,\"two\nlines"), 4);
        assert_eq!(ends_at("a,b\n1,\"two\nlines\"\n"), 18);
        assert_eq!(ends_at("a,b\n1,\"a \"\"quote\"\"\n"), 4);
        assert_eq!(ends_at("a,b\n1,2,3\nx"), 10);
        assert_eq!(ends_at("a,b\n\0\0\0\0"), 4);
    }
}
