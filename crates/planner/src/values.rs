//! A value as a setting or a placeholder takes it: its type, its range, one form for each meaning.

use crate::nearest::did_you_mean;
use crate::place::At;
use crate::problem::Problem;
use crate::tree::{Data, Node};
use maquette_core::{Kind, Setting, Value};

/// The texts whose `{placeholders}` are filled.
pub(crate) const TEMPLATES: &[&str] = &["prompt", "negative_prompt", "init_image"];

/// Reads a node as a value of the setting or placeholder `name`.
pub(crate) fn read(name: &str, node: &Node) -> Result<Value, Problem> {
    let setting = Setting::named(name);
    let Some(value) = node.scalar() else {
        let allowed = setting.map_or_else(|| "text or a number".to_owned(), Setting::allowed);
        let problem = Problem::at(&node.at, format!("`{name}` is {}; allowed: {allowed}", node.what()));
        return Err(match node.data {
            Data::List(_) | Data::Table(_) => {
                problem.help(format!("to try several values, move `{name}` into [sweep]"))
            }
            _ => problem,
        });
    };
    match setting {
        Some(setting) => fit(setting, value, &node.at),
        None => Ok(value),
    }
}

/// Checks a value and brings it into the one form that its setting has.
pub(crate) fn fit(setting: &Setting, value: Value, at: &At) -> Result<Value, Problem> {
    let name = setting.name;
    if let Err(error) = setting.check(&value) {
        let problem = Problem::at(at, error.to_string()).label(format!("allowed: {}", setting.allowed()));
        return Err(match (setting.kind, value.as_text()) {
            (Kind::Choice(words), Some(word)) => problem.hint(did_you_mean(word, words.iter().copied())),
            (Kind::Text | Kind::Path, None) => problem.help("put it in quotes".to_owned()),
            _ => problem,
        });
    }
    Ok(match (setting.kind, value) {
        (Kind::Integer { .. }, value) => value.as_integer().map_or(value, Value::Integer),
        // Adding zero makes a negative zero positive.
        (Kind::Number { .. }, value) => value.as_number().map_or(value, |x| Value::Number(x + 0.0)),
        (Kind::Path, Value::Text(path)) if !path.is_empty() => Value::Text(at.origin.seen(&path)),
        (Kind::Text, Value::Text(text)) if text.contains('{') && !TEMPLATES.contains(&name) => {
            return Err(Problem::at(at, format!("`{name}` is `{text}`; allowed: text without placeholders"))
                .help("placeholders are filled in `prompt`, `negative_prompt` and `init_image`".to_owned()));
        }
        (_, value) => value,
    })
}

/// Reads words of a list file as a value of `name`: a number where the setting is one.
pub(crate) fn from_words(name: &str, words: &str, at: &At) -> Result<Value, Problem> {
    let Some(setting) = Setting::named(name) else { return Ok(words.into()) };
    let number = || words.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::Number);
    let value = match setting.kind {
        Kind::Integer { .. } => words.parse().ok().map(Value::Integer).or_else(number),
        Kind::Number { .. } => number(),
        Kind::Text | Kind::Path | Kind::Choice(_) => None,
    };
    fit(setting, value.unwrap_or_else(|| words.into()), at)
}
