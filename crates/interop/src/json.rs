//! JSON as Python writes it, which may contain `NaN` and `Infinity` outside of strings.

use serde_json::{Error, Value as Json};

/// Numbers that Python writes and JSON does not have.
const NOT_JSON: &[&str] = &["NaN", "-Infinity", "Infinity"];

/// Parses JSON; Python's numbers that are not JSON become their names as text.
///
/// # Errors
///
/// If the text is not JSON otherwise, either.
pub(super) fn parse(text: &str) -> Result<Json, Error> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'));
    serde_json::from_str(text).or_else(|error| serde_json::from_str(&quoted(text).ok_or(error)?))
}

/// The text with quotes around such numbers; `None` if there are none.
fn quoted(text: &str) -> Option<String> {
    let (mut out, mut rest, mut changed) = (String::with_capacity(text.len()), text, false);
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        if first == '"' {
            taken = string(rest);
        } else if let Some(name) = NOT_JSON.iter().find(|name| rest.starts_with(**name)) {
            out.push_str(&format!("\"{name}\""));
            rest = &rest[name.len()..];
            changed = true;
            continue;
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    changed.then_some(out)
}

/// The length of the string at the start, with its quotes; that of the whole text if it does not end.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at + 2)
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_python_writes() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).unwrap().to_string(), expected);
        check(r#"{"is_changed": [NaN], "a": -Infinity}"#, r#"{"is_changed":["NaN"],"a":"-Infinity"}"#);
        check(r#"{"text": "NaN \" NaN", "cfg": NaN}"#, r#"{"text":"NaN \" NaN","cfg":"NaN"}"#);
        check(r#"{"\\": Infinity}"#, r#"{"\\":"Infinity"}"#);
        check("\u{feff}[1]\0\0\n", "[1]");
        for wrong in ["", "{", "[NaNs]", r#"{"a": NaN"#, r#""NaN"#, "nan"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
