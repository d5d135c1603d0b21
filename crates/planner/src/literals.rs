//! Values on the command line: reading them, and writing them so that they read back unchanged.
//!
//! - A value that parses as TOML text, a number, `true`, `false`, a list or a table is that value. Anything else is
//!   literal text, and so is a number if the setting takes text. Spaces around a value are not part of it.
//! - A value that begins with `"` or `'` is quoted as in TOML: `"7"` is text.
//! - A list is split at commas outside quotes and brackets, unless all of it is one TOML list or table, which is read
//!   as in the file. Empty values are kept.
//! - In a list every quote and bracket must be closed. An apostrophe inside a word is not a quote.

use crate::place::{At, Origin};
use crate::problem::Problem;
use crate::tree::{Data, Node, parse_value};
use maquette_core::{Kind, Setting, Value};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Writes a value as `--set` and `--sweep` read it: text is quoted if it would otherwise be read as something else.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) if !is_bare(text) => quoted(text),
        value => value.to_string(),
    }
}

/// Reads the value of the setting or placeholder `name` at `offset` in the origin's text.
pub(crate) fn one(origin: &Arc<Origin>, offset: usize, text: &str, name: &str) -> Result<Node, Problem> {
    let offset = offset + text.len() - text.trim_start().len();
    let text = text.trim();
    let at = At { origin: Arc::clone(origin), span: offset..offset + text.len() };
    if text.starts_with(['"', '\'']) {
        let unclosed = Unclosed { mark: text.chars().next().unwrap_or('"'), at: 0 };
        let length = quoted_length(text).ok_or_else(|| unclosed.problem(origin, offset))?;
        if length == text.len() {
            return parse_value(origin, offset, text).map_err(|problem| match text.contains('\\') {
                true => problem.help("in single quotes, a backslash is an ordinary character"),
                false => problem,
            });
        }
    }
    let parsed = parse_value(origin, offset, text).ok().filter(|node| node.at.span == at.span);
    Ok(parsed.filter(|node| takes(name, node)).unwrap_or(Node { at, data: Data::Text(text.to_owned()) }))
}

/// Reads a list of values, or one of the forms that an axis has in the file.
pub(crate) fn list(origin: &Arc<Origin>, offset: usize, text: &str, name: &str) -> Result<Node, Problem> {
    let at = At { origin: Arc::clone(origin), span: offset..offset + text.len() };
    if let Ok(node) = parse_value(origin, offset, text)
        && matches!(node.data, Data::List(_) | Data::Table(_))
    {
        return Ok(node);
    }
    let ranges = split(text).map_err(|unclosed| unclosed.problem(origin, offset))?;
    let values = ranges.into_iter().map(|range| one(origin, offset + range.start, &text[range], name));
    Ok(Node { at, data: Data::List(values.collect::<Result<_, _>>()?) })
}

/// Whether a parsed value is used for `name`; otherwise the value is the text itself.
fn takes(name: &str, node: &Node) -> bool {
    let kind = Setting::named(name).map(|setting| setting.kind);
    match (&node.data, kind) {
        (Data::Text(_), _) => true,
        (Data::List(_) | Data::Table(_), Some(Kind::Weights)) => true,
        (Data::Unfit(_), _)
        | (_, Some(Kind::Text | Kind::Model | Kind::Path | Kind::Weights | Kind::Interval)) => false,
        _ => name != "title",
    }
}

/// A quote or bracket that is not closed, and its offset.
#[derive(Debug, PartialEq)]
struct Unclosed {
    mark: char,
    at: usize,
}

impl Unclosed {
    fn problem(&self, origin: &Arc<Origin>, offset: usize) -> Problem {
        let start = offset + self.at;
        let at = At { origin: Arc::clone(origin), span: start..start + self.mark.len_utf8() };
        let mark = self.mark;
        let around = match mark {
            '"' => "single quotes: '…'",
            _ => "double quotes: \"…\"",
        };
        let what = if matches!(mark, '"' | '\'') { "quote" } else { "bracket" };
        Problem::at(&at, format!("the {what} `{mark}` is not closed"))
            .label("opened here")
            .help(format!("close it; to use `{mark}` in the text, put the whole value in {around}"))
    }
}

/// The ranges between the commas that separate values; at least one.
fn split(text: &str) -> Result<Vec<Range<usize>>, Unclosed> {
    let mut ranges = Vec::new();
    let mut start = 0;
    loop {
        let length = first_length(&text[start..]);
        let length = length.map_err(|Unclosed { mark, at }| Unclosed { mark, at: start + at })?;
        ranges.push(start..start + length);
        start += length + 1;
        if start > text.len() {
            return Ok(ranges);
        }
    }
}

/// The length of a list's first value: up to its comma, or to the end.
fn first_length(text: &str) -> Result<usize, Unclosed> {
    let mut open: Vec<Unclosed> = Vec::new();
    let mut before = None;
    let mut at = 0;
    while let Some(mark) = text[at..].chars().next() {
        // Where TOML text may begin; elsewhere `'` is an apostrophe.
        let begins = match before {
            None => true,
            Some('[' | '{' | ',' | '=') => !open.is_empty(),
            Some(_) => false,
        };
        let length = match mark {
            ',' if open.is_empty() => return Ok(at),
            '"' | '\'' if begins => quoted_length(&text[at..]).ok_or(Unclosed { mark, at })?,
            '"' => text[at + 1..].find('"').ok_or(Unclosed { mark, at })? + 2,
            _ => mark.len_utf8(),
        };
        match (mark, open.last().map(|open| open.mark)) {
            ('(' | '[' | '{', _) => open.push(Unclosed { mark, at }),
            (')', Some('(')) | (']', Some('[')) | ('}', Some('{')) => _ = open.pop(),
            _ => {}
        }
        if !mark.is_whitespace() {
            before = Some(mark);
        }
        at += length;
    }
    open.pop().map_or(Ok(at), Err)
}

/// The length of the quoted text at the start of `text`, both quotes included.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.get(..1)?;
    let close = match text.get(..3) {
        Some(triple) if triple == quote.repeat(3) => triple,
        _ => quote,
    };
    let mut at = close.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(close) {
            return Some(at + close.len());
        }
        let mut chars = rest.chars();
        let next = chars.next()?;
        at += next.len_utf8();
        if next == '\\' && quote == "\"" {
            at += chars.next()?.len_utf8();
        }
    }
}

/// Whether a text reads back as itself, and is recognisable as one value in a list.
fn is_bare(text: &str) -> bool {
    let plain = !text.is_empty() && !text.contains([',', '"']) && !text.contains(char::is_control);
    let origin = Arc::new(Origin::new("", text.to_owned(), Path::new(""), "", 0));
    plain
        && list(&origin, 0, text, "").is_ok_and(|node| match node.data {
            Data::List(nodes) => matches!(&nodes[..], [node] if node.text() == Some(text)),
            _ => false,
        })
}

/// A text as a TOML basic string, always on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            '\r' => quoted += "\\r",
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, name: &str) -> Result<Vec<Node>, Problem> {
        let origin = Arc::new(Origin::new("--sweep", text.to_owned(), Path::new(""), "", 0));
        list(&origin, 0, text, name).map(|node| match node.data {
            Data::List(nodes) => nodes,
            _ => vec![node],
        })
    }

    fn values(text: &str, name: &str) -> Vec<Value> {
        read(text, name).unwrap().iter().map(|node| node.scalar().unwrap()).collect()
    }

    #[test]
    fn a_list_is_split_at_commas_outside_quotes_and_brackets() {
        let check = |text: &str, expected: &[&str]| {
            let expected: Vec<Value> = expected.iter().map(|text| Value::from(*text)).collect();
            assert_eq!(values(text, "artist"), expected, "{text}");
        };
        check("Mucha,Klimt", &["Mucha", "Klimt"]);
        check(" Gustav Klimt , Egon Schiele ", &["Gustav Klimt", "Egon Schiele"]);
        check("\"Mucha, Alphonse\",Klimt", &["Mucha, Alphonse", "Klimt"]);
        check("'Mucha, Alphonse', Klimt", &["Mucha, Alphonse", "Klimt"]);
        check("[\"Mucha, Alphonse\", 'Klimt']", &["Mucha, Alphonse", "Klimt"]);
        check("\"\"\"Mucha, \"Alphonse\" \"\"\",Klimt", &["Mucha, \"Alphonse\" ", "Klimt"]);
        check("\"a \\\", b\",c", &["a \", b", "c"]);
        check("O'Keeffe,D'Arcy", &["O'Keeffe", "D'Arcy"]);
        check("a sign \"yes, no\" in it,b", &["a sign \"yes, no\" in it", "b"]);
        check("\"a\" or \"b, c\",d", &["\"a\" or \"b, c\"", "d"]);
        check("(red, blue:1.2) cat,[a, b|c] dog", &["(red, blue:1.2) cat", "[a, b|c] dog"]);
        check("{pet}'s ear,{pet}", &["{pet}'s ear", "{pet}"]);
        check("a) b] c,d", &["a) b] c", "d"]);
        check("", &[""]);
        check(",blurry", &["", "blurry"]);
        check("a,,b,", &["a", "", "b", ""]);
        check("\"7\",'true'", &["7", "true"]);
        check("1920-01-01,nan,007", &["1920-01-01", "nan", "007"]);
    }

    #[test]
    fn values_have_the_types_of_toml() {
        let check = |text: &str, name: &str, expected: &[Value]| {
            assert_eq!(values(text, name), expected, "{text}");
        };
        check("7, 0.5, true", "artist", &[Value::Integer(7), Value::Number(0.5), Value::Flag(true)]);
        check("7, 0.50, true", "negative_prompt", &["7".into(), "0.50".into(), "true".into()]);
        check("7 # seven", "artist", &["7 # seven".into()]);
        check("[7, \"7\"]", "artist", &[Value::Integer(7), "7".into()]);
    }

    #[test]
    fn errors_point_to_unclosed_marks() {
        let check = |text: &str, message: &str, column: usize| {
            let problem = read(text, "artist").unwrap_err();
            let place = problem.place().map(|(_, _, column)| column);
            assert_eq!((&*problem.to_string(), place), (message, Some(column)), "{text}");
        };
        check("\"Mucha, Klimt", "the quote `\"` is not closed", 1);
        check("Mucha,'Klimt", "the quote `'` is not closed", 7);
        check("Mucha, 12\" vinyl", "the quote `\"` is not closed", 10);
        check("Mucha, [a, 'b']], [c", "the bracket `[` is not closed", 19);
        check("{ file = \"a, b\", weight = [1", "the bracket `[` is not closed", 27);
        check(
            "\"C:\\pictures\"",
            "--sweep is not TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\\`, `\"`, `x`, `u`, `U`",
            5,
        );
    }

    #[test]
    fn literals_are_quoted_where_needed() {
        let check = |value: Value, expected: &str| assert_eq!(literal(&value), expected);
        check("Alphonse Mucha".into(), "Alphonse Mucha");
        check("O'Keeffe".into(), "O'Keeffe");
        check("Mucha, Alphonse".into(), "\"Mucha, Alphonse\"");
        check("".into(), "\"\"");
        check(" a".into(), "\" a\"");
        check("7".into(), "\"7\"");
        check("true".into(), "\"true\"");
        check("'tis".into(), "\"'tis\"");
        check("a \"b\"\n".into(), "\"a \\\"b\\\"\\n\"");
        check("[cat".into(), "\"[cat\"");
        check("[cat]".into(), "[cat]");
        check("[1]".into(), "\"[1]\"");
        check(Value::Integer(7), "7");
        check(Value::Number(0.5), "0.5");
        check(Value::Flag(true), "true");
    }

    /// A TOML string, written independently of the code under test.
    fn toml_string(text: &str) -> String {
        let escaped = |c: char| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\U{:08X}", u32::from(c)),
            c => c.to_string(),
        };
        format!("\"{}\"", text.chars().map(escaped).collect::<String>())
    }

    fn texts(texts: &[String]) -> Vec<Value> {
        texts.iter().map(|text| Value::Text(text.clone())).collect()
    }

    proptest! {
        #[test]
        fn quoted_texts_round_trip(list in prop::collection::vec(any::<String>(), 1..6)) {
            let joined: Vec<String> = list.iter().map(|text| toml_string(text)).collect();
            prop_assert_eq!(values(&joined.join(","), "artist"), texts(&list));
        }

        #[test]
        fn bare_words_round_trip(list in prop::collection::vec("[a-z]+( [a-zÀ-ž']*[a-z])*", 1..6)) {
            prop_assume!(!list.iter().any(|word| ["true", "false"].contains(&word.as_str())));
            prop_assert_eq!(values(&list.join(", "), "artist"), texts(&list));
        }

        #[test]
        fn literals_round_trip(list in prop::collection::vec("[ -~é\n]{0,8}", 1..6)) {
            let joined: Vec<String> = texts(&list).iter().map(literal).collect();
            prop_assert_eq!(values(&joined.join(", "), "artist"), texts(&list));
        }
    }
}
