//! Writes an experiment of one cell from known values, such as those found in a picture.
//!
//! The values contain no placeholders: braces are doubled where they would be read as one.

use crate::resolved::{key, value};
use crate::values::templates;
use maquette_core::{SUBJECT, Value};
use std::fmt::Write;

/// One line of an experiment: a setting, its value, and a comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The setting.
    pub name: String,
    /// Its value, placeholders filled.
    pub value: Value,
    /// The comment after it; empty for none.
    pub remark: String,
}

/// A table `[subject.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectText {
    /// The subject's name.
    pub name: String,
    /// Keys, and values as TOML.
    pub lines: Vec<(String, String)>,
}

/// Writes an experiment of one cell. It plans to those values, and defaults for all other settings.
///
/// `remarks` are comments at its top.
pub fn experiment(remarks: &[String], lines: &[Line]) -> String {
    let mut text = String::new();
    for remark in remarks {
        let _ = writeln!(text, "# {}", comment(remark));
    }
    for Line { name, value: given, remark } in lines {
        let literal = match given {
            Value::Text(text) if templates().any(|template| template == name.as_str()) => {
                value(&text.replace('{', "{{").replace('}', "}}").as_str().into())
            }
            given => value(given),
        };
        let _ = write!(text, "{} = {literal}", key(name));
        let _ = match remark.as_str() {
            "" => writeln!(text),
            remark => writeln!(text, "  # {}", comment(remark)),
        };
    }
    text
}

/// The top-level `folder` of an experiment's text, that its paths are relative to; `None` if it has none. Runs find
/// their experiment's folder by it.
pub fn folder(text: &str) -> Option<String> {
    // Seeds may be larger than the integers of `toml::Table`.
    let table = toml::de::DeTable::parse(text).ok()?;
    table.get_ref().get("folder")?.get_ref().as_str().map(str::to_owned)
}

/// The tables `[subject.NAME]` of an experiment's text, with the text of their values; none if it is no experiment.
pub fn subjects(text: &str) -> Vec<SubjectText> {
    let Ok(table) = toml::de::DeTable::parse(text) else { return Vec::new() };
    let Some(subjects) = table.get_ref().get(SUBJECT).and_then(|node| node.get_ref().as_table()) else {
        return Vec::new();
    };
    let lines = |table: &toml::de::DeTable<'_>| {
        let line = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.clone().into_owned(), text.get(value.span()).unwrap_or_default().to_owned())
        };
        table.iter().map(line).collect()
    };
    let subject =
        |(name, node): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<toml::de::DeValue<'_>>)| {
            let lines = lines(node.get_ref().as_table()?);
            Some(SubjectText { name: name.get_ref().clone().into_owned(), lines })
        };
    subjects.iter().filter_map(subject).collect()
}

/// Text as a one-line comment without control characters, so that text from a picture cannot become a key.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_what_they_are_and_comments_stay_comments() {
        let line = |name: &str, value: Value, remark: &str| Line {
            name: name.to_owned(),
            value,
            remark: remark.to_owned(),
        };
        let lines = [
            line("model", "sketchbook".into(), ""),
            line("prompt", "a {cat}\nin \"quotes\" }".into(), ""),
            line("guidance_scale", 7.0.into(), "as\nsteps = 3"),
            line("seed", i64::MAX.into(), ""),
        ];
        let text = experiment(&["Made by\r\nsomebody".to_owned()], &lines);
        insta::assert_snapshot!(text, @r###"
        # Made by  somebody
        model = "sketchbook"
        prompt = """
        a {{cat}}
        in "quotes" }}"""
        guidance_scale = 7.0  # as steps = 3
        seed = 9223372036854775807
        "###);
    }
}
