//! Reads values of settings and placeholders: checks type and range, and normalises the form.

use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::Problem;
use crate::tree::{Data, Node};
use maquette_core::{Kind, MAX_TEXT, SETTINGS, Setting, Value, parse_weights};

/// The settings whose `{placeholders}` are filled.
pub(crate) fn templates() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|setting| setting.template).map(|setting| setting.name)
}

/// Reads a node as a value of the setting or placeholder `name`.
pub(crate) fn read(name: &str, node: &Node) -> Result<Value, Problem> {
    let setting = Setting::named(name);
    if let Some(setting) = setting.filter(|setting| setting.kind == Kind::Weights) {
        return weights(setting, node);
    }
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

/// Checks a value and normalises it for its setting.
pub(crate) fn fit(setting: &Setting, value: Value, at: &At) -> Result<Value, Problem> {
    let name = setting.name;
    if let Err(error) = setting.check(&value) {
        let problem = Problem::at(at, error.to_string()).label(format!("allowed: {}", error.allowed));
        return Err(match (setting.kind, value.as_text()) {
            (Kind::Choice(words), Some(word)) => problem.help_if(did_you_mean(word, words.iter().copied())),
            (Kind::Text | Kind::Model | Kind::Path | Kind::Weights | Kind::Interval, None) => {
                problem.help("put it in quotes")
            }
            (Kind::Seed, None) if value.as_integer().is_some_and(|n| n < 0) => {
                problem.help(format!("for a random seed, write `{name} = {{ random = 1 }}` in [sweep]"))
            }
            _ => problem,
        });
    }
    Ok(match (setting.kind, value) {
        (Kind::Integer { .. }, value) => value.as_integer().map_or(value, Value::from),
        (Kind::Seed, value) => value.as_unsigned().map_or(value, Value::seed),
        // Adding zero makes a negative zero positive.
        (Kind::Number { .. }, value) => value.as_number().map_or(value, |x| Value::Number(x + 0.0)),
        (Kind::Path, Value::Text(path)) if !path.is_empty() => Value::Text(at.origin.rebase(&path)),
        (Kind::Text | Kind::Model | Kind::Weights, Value::Text(text))
            if text.contains('{') && !setting.template =>
        {
            let names = list(templates());
            return Err(Problem::at(at, format!("`{name}` is `{text}`; allowed: text without placeholders"))
                .help(format!("placeholders are filled in {names}")));
        }
        (Kind::Weights, Value::Text(text)) => {
            // A name without a folder is looked up in the folders for such files.
            let rebase = |entry: &str| match entry.split_once('=') {
                Some((word, path)) if path.contains('/') => format!("{word}={}", at.origin.rebase(path)),
                None if entry.contains('/') => at.origin.rebase(entry),
                _ => entry.to_owned(),
            };
            let text = match text.contains('/') && !at.origin.prefix.is_empty() {
                true => text.split(" + ").map(rebase).collect::<Vec<_>>().join(" + "),
                false => text,
            };
            // A text with placeholders becomes a list only once they are filled.
            let list = parse_weights(&text).filter(|_| !text.contains(['{', '}']));
            list.map_or(Value::Text(text), Value::Weights)
        }
        (_, value) => value,
    })
}

/// Reads a list of weight files in any of its forms: text, a table such as
/// `{ file = "style.safetensors", weight = 0.8 }`, or a list of these, which are combined; see [`Kind::Weights`].
fn weights(setting: &Setting, node: &Node) -> Result<Value, Problem> {
    let wrong = |node: &Node, message: String| {
        Problem::at(&node.at, message).help(format!(
            "allowed: `\"style\"`, `\"style:0.8\"`, `{{ file = \"style\", weight = 0.8 }}`, a list of these, which \
             are combined, or `\"none\"`; to try several values, move `{}` into [sweep]",
            setting.name
        ))
    };
    let one = |node: &Node| match &node.data {
        Data::Text(text) => Ok(text.clone()),
        Data::Table(entries) => {
            let (mut file, mut weight, mut text_weight, mut word) =
                (None, None, String::new(), String::new());
            for entry in entries {
                match (entry.key.as_str(), entry.node.scalar()) {
                    ("file", Some(Value::Text(text))) => file = Some(text),
                    ("weight", Some(value)) if setting.name == "lora" => weight = Some(format!(":{value}")),
                    ("text_weight", Some(value)) if setting.name == "lora" => {
                        text_weight = format!(":{value}");
                    }
                    ("word", Some(Value::Text(text))) if setting.name == "embeddings" => {
                        word = format!("{text}=");
                    }
                    (key, _) => {
                        return Err(wrong(&entry.node, format!("`{key}` is {}", entry.node.what())));
                    }
                }
            }
            match file {
                Some(file) => {
                    let alone = if text_weight.is_empty() { "" } else { ":1" };
                    let weight = weight.as_deref().unwrap_or(alone);
                    Ok(format!("{word}{file}{text_weight}{weight}"))
                }
                None => Err(wrong(node, format!("this entry of `{}` has no `file`", setting.name))),
            }
        }
        _ => Err(wrong(node, format!("`{}` is {}", setting.name, node.what()))),
    };
    let texts = match &node.data {
        Data::List(nodes) => nodes.iter().map(one).collect::<Result<Vec<_>, _>>()?,
        _ => vec![one(node)?],
    };
    fit(setting, Value::Text(texts.join(" + ")), &node.at)
}

/// Reads a line of a list file as a value of `name`: a number if the setting is a number.
pub(crate) fn from_line(name: &str, line: &str, at: &At) -> Result<Value, Problem> {
    let Some(setting) = Setting::named(name) else {
        return match line.len() > MAX_TEXT {
            true => Err(Problem::at(
                at,
                format!("this line has {} bytes; allowed: at most {MAX_TEXT}", line.len()),
            )),
            false => Ok(line.into()),
        };
    };
    let number = || line.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::Number);
    let value = match setting.kind {
        Kind::Integer { .. } | Kind::Seed => line.parse().ok().map(Value::Integer).or_else(number),
        Kind::Number { .. } => number(),
        Kind::Flag => line.parse().ok().map(Value::Flag),
        Kind::Text | Kind::Model | Kind::Path | Kind::Weights | Kind::Choice(_) | Kind::Interval => None,
    };
    fit(setting, value.unwrap_or_else(|| line.into()), at)
}
