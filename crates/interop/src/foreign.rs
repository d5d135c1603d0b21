//! The content of another tool's text, converted to Maquette's settings where possible.
//!
//! Nothing is dropped: what Maquette has no setting for is kept with the reason, what does not affect pixels as a fact.

use maquette_core::{Setting, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

/// The content of another tool's text about a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreign {
    /// The tool that wrote the text.
    pub tool: Tool,
    /// Maquette's settings that it contains, each within its range, without duplicates.
    #[serde(serialize_with = "as_map")]
    pub settings: Vec<(&'static str, Value)>,
    /// What may affect the picture but cannot be expressed in Maquette's settings.
    pub left: Vec<NotTaken>,
    /// Other information: versions, hashes, dates.
    #[serde(serialize_with = "as_map")]
    pub facts: Vec<(String, String)>,
    /// Assumptions that were made, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// A tool that writes texts into pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Tool {
    /// AUTOMATIC1111's web UI, or one of the many tools that write the same format.
    #[serde(rename = "A1111")]
    A1111,
    /// ComfyUI.
    ComfyUI,
    /// SwarmUI.
    SwarmUI,
    /// InvokeAI.
    InvokeAI,
    /// Fooocus.
    Fooocus,
    /// NovelAI.
    NovelAI,
}

/// A value in a text that Maquette does not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotTaken {
    /// The tool's name for it.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Why it is not used: a sentence without its full stop.
    pub why: String,
}

impl Tool {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::A1111 => "A1111",
            Tool::ComfyUI => "ComfyUI",
            Tool::SwarmUI => "SwarmUI",
            Tool::InvokeAI => "InvokeAI",
            Tool::Fooocus => "Fooocus",
            Tool::NovelAI => "NovelAI",
        }
    }
}

/// The most common reason.
pub(super) const NO_SETTING: &str = "Maquette has no such setting";

impl Foreign {
    pub(super) fn new(tool: Tool) -> Foreign {
        Foreign { tool, settings: Vec::new(), left: Vec::new(), facts: Vec::new(), notes: Vec::new() }
    }

    /// The value of a setting that the text gives.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Sets a setting. A value that the setting does not allow is added to `Foreign::left`, under the tool's name for it. If
    /// a setting is set twice, the first value is used.
    pub(super) fn set(&mut self, name: &'static str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match Setting::named(name) {
            None => self.left(key, value.to_string(), NO_SETTING),
            Some(_) if self.get(name).is_some() => {
                if self.get(name) != Some(&value) {
                    self.left(key, value.to_string(), "it is given twice, with different values");
                }
            }
            Some(setting) => match setting.check(&value) {
                Ok(()) => self.settings.push((name, value)),
                Err(error) => {
                    self.left(key, value.to_string(), format!("allowed for {name}: {}", error.allowed));
                }
            },
        }
    }

    /// Sets a setting to a number given as text.
    pub(super) fn set_number(&mut self, name: &'static str, key: &str, text: &str) {
        match number(text) {
            Some(value) => self.set(name, key, value),
            None => self.left(key, text, "it is not a 64-bit number"),
        }
    }

    /// Sets a setting to a JSON value: text, a number, or a number written as text.
    pub(super) fn set_json(&mut self, name: &'static str, key: &str, json: &Json) {
        match json {
            Json::Null => {}
            Json::Number(_) => self.set_number(name, key, &json.to_string()),
            Json::String(text) => {
                let takes_text =
                    Setting::named(name).is_some_and(|setting| setting.check(&"".into()).is_ok());
                match number(text).filter(|_| !takes_text) {
                    Some(value) => self.set(name, key, value),
                    None => self.set(name, key, text.as_str()),
                }
            }
            Json::Bool(flag) => self.set(name, key, Value::Flag(*flag)),
            Json::Array(_) | Json::Object(_) => {
                self.left(key, plain(json), "it is neither text nor a number");
            }
        }
    }

    pub(super) fn left(&mut self, key: impl Into<String>, value: impl Into<String>, why: impl Into<String>) {
        self.left.push(NotTaken { key: key.into(), value: value.into(), why: why.into() });
    }

    pub(super) fn fact(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.facts.push((key.into(), value.into()));
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Sorts the settings into the order of the table.
    pub(super) fn sorted(mut self) -> Foreign {
        let rank = |name: &str| maquette_core::SETTINGS.iter().position(|setting| setting.name == name);
        self.settings.sort_by_key(|(name, _)| rank(name));
        self
    }
}

/// Parses a finite number; a whole number of 64 bits stays whole.
pub(super) fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    let whole = text.parse().ok().map(Value::Integer);
    // f64 also parses `inf` and `nan`, and loses the last digits of whole numbers from 2^64.
    let digits = text.trim_start_matches(['-', '+']).bytes().all(|b| b.is_ascii_digit());
    whole.or_else(|| text.parse().ok().filter(|x: &f64| x.is_finite() && !digits).map(Value::Number))
}

/// JSON on one line; text without its quotes.
pub(super) fn plain(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        json => json.to_string(),
    }
}

/// Whether a value turns nothing on: `false`, null, or empty.
pub(super) fn is_neutral(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty() || text == "None",
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn as_map<S: Serializer, K: AsRef<str>, V: Serialize>(pairs: &[(K, V)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key.as_ref(), value)?;
    }
    map.end()
}
