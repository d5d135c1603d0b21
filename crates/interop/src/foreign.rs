//! What another tool's text says of a picture, in Maquette's words where there are such.
//!
//! Nothing is dropped: what has no word here is kept with the reason, what changes no pixel is kept as a fact.

use maquette_core::{Setting, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

/// What another tool's text says of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreign {
    /// Whose text it is.
    pub tool: Tool,
    /// What it gives of Maquette's settings, each within its range, no name twice.
    #[serde(serialize_with = "as_map")]
    pub settings: Vec<(&'static str, Value)>,
    /// What may change the picture and has no word in Maquette.
    pub left: Vec<NotTaken>,
    /// What it says beside: versions, hashes, dates.
    #[serde(serialize_with = "as_map")]
    pub facts: Vec<(String, String)>,
    /// What was taken for granted, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Tool {
    /// AUTOMATIC1111's web UI, or one of the many that write its text.
    #[serde(rename = "A1111")]
    A1111,
    /// ComfyUI.
    ComfyUI,
    /// SwarmUI.
    SwarmUI,
    /// InvokeAI.
    InvokeAI,
}

/// Something that a text says and that Maquette does not take over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotTaken {
    /// The tool's own word for it.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Why it stays behind, in a sentence without its full stop.
    pub why: String,
}

impl Tool {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Tool::A1111 => "A1111",
            Tool::ComfyUI => "ComfyUI",
            Tool::SwarmUI => "SwarmUI",
            Tool::InvokeAI => "InvokeAI",
        }
    }
}

/// The reason for most of what is left.
pub(super) const NO_SETTING: &str = "Maquette has no such setting";

impl Foreign {
    pub(super) fn new(tool: Tool) -> Foreign {
        Foreign { tool, settings: Vec::new(), left: Vec::new(), facts: Vec::new(), notes: Vec::new() }
    }

    /// The value of a setting that the text gives.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes a setting over; one that cannot take the value is left, under the tool's own word for it. What was said
    /// first counts.
    pub(super) fn set(&mut self, name: &'static str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match Setting::named(name) {
            None => self.left(key, value.to_string(), NO_SETTING),
            Some(_) if self.get(name).is_some() => {
                if self.get(name) != Some(&value) {
                    self.left(key, value.to_string(), "it is said a second time");
                }
            }
            Some(setting) => match setting.check(&value) {
                Ok(()) => self.settings.push((name, value)),
                Err(_) => {
                    self.left(key, value.to_string(), format!("allowed for {name}: {}", setting.allowed()));
                }
            },
        }
    }

    /// Takes over a number that stands as text.
    pub(super) fn set_number(&mut self, name: &'static str, key: &str, text: &str) {
        match number(text) {
            Some(value) => self.set(name, key, value),
            None => self.left(key, text, "it is no number of 64 bits"),
        }
    }

    /// Takes over what stands in JSON: text, a number, or a number written as text.
    pub(super) fn set_json(&mut self, name: &'static str, key: &str, json: &Json) {
        match json {
            Json::Null => {}
            Json::Number(_) => self.set_number(name, key, &json.to_string()),
            Json::String(text) => {
                let words = Setting::named(name).is_some_and(|setting| setting.check(&"".into()).is_ok());
                match number(text).filter(|_| !words) {
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

    /// Brings the settings into the order of the table.
    pub(super) fn sorted(mut self) -> Foreign {
        let rank = |name: &str| maquette_core::SETTINGS.iter().position(|setting| setting.name == name);
        self.settings.sort_by_key(|(name, _)| rank(name));
        self
    }
}

/// A finite number that stands as text; a whole one of 64 bits stays whole.
pub(super) fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    let whole = text.parse().ok().map(Value::Integer);
    // `inf` and `nan` read as numbers too, and 2^64 as a number that has lost its last digits.
    let digits = text.trim_start_matches(['-', '+']).bytes().all(|b| b.is_ascii_digit());
    whole.or_else(|| text.parse().ok().filter(|x: &f64| x.is_finite() && !digits).map(Value::Number))
}

/// JSON in one line; text without its quotes.
pub(super) fn plain(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        json => json.to_string(),
    }
}

fn as_map<S: Serializer, K: AsRef<str>, V: Serialize>(pairs: &[(K, V)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key.as_ref(), value)?;
    }
    map.end()
}
