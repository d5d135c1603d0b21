//! Text for a terminal, which must not obey what is in it.
//!
//! Prompts, names and errors come from files of other people, and an escape sequence in one could move the cursor, change the
//! title, or write to the clipboard. Pipes and files get every text as it is.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with its control characters written out, but for line breaks, tabs, and the sequences that style our own text.
pub fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len() + 16), text);
    while let Some(at) = rest.find(obeyed) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match style(rest) {
            Some(length) => {
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
            None => {
                let letter = rest.chars().next().unwrap_or_default();
                // Writing to memory cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    Cow::Owned(out + rest)
}

/// The length of a sequence `ESC [ digits m` at the start, which sets colours and weights and nothing else.
fn style(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let digits = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[digits..].starts_with('m').then_some(2 + digits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_no_text() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("a cat\n\tMünch 葛飾", "a cat\n\tMünch 葛飾");
        check("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m");
        check("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007");
        check("\u{1b}[2Jx\u{1b}[", "\\u001b[2Jx\\u001b[");
        check("a\rb\u{8}\u{7f}\u{9b}2J\0", "a\\u000db\\u0008\\u007f\\u009b2J\\u0000");
    }
}
