//! An experiment of one cell, written from values that are known: the way back from a picture to a file.
//!
//! Nothing is a placeholder here: the values are what they are, and braces are doubled where they would be one.

use crate::resolved::{key, value};
use crate::values::templates;
use maquette_core::Value;
use std::fmt::Write;

/// One line of an experiment: a setting, its value, and what there is to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The setting.
    pub name: String,
    /// Its value, placeholders filled.
    pub value: Value,
    /// What stands behind it as a comment; empty for nothing.
    pub remark: String,
}

/// Writes an experiment that has one cell. It plans to those values and the defaults of everything else.
///
/// `remarks` stand at its top as comments.
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

/// Where the relative paths of an experiment's text start, when it says so: the runs of a project know their
/// experiment's folder by this.
pub fn folder(text: &str) -> Option<String> {
    // Seeds may be larger than the integers of `toml::Table`.
    let table = toml::de::DeTable::parse(text).ok()?;
    table.get_ref().get("folder")?.get_ref().as_str().map(str::to_owned)
}

/// A comment is one line and holds no control characters: what somebody's picture says must not become a key.
fn comment(text: &str) -> String {
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
