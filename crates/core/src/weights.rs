//! Lists of weight files in experiment files: LoRAs with weights, textual inversions with words.
//!
//! Not here: the locations of the files, which are in the plan.

use serde::{Deserialize, Serialize};

/// What a weight file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WeightsKind {
    /// A VAE in place of the model's own.
    Vae,
    /// A LoRA.
    Lora,
    /// A textual inversion.
    Embedding,
    /// A ControlNet.
    ControlNet,
    /// An IP-Adapter.
    IpAdapter,
    /// The image encoder of an IP-Adapter: its folder, or the IP-Adapter near which it lies.
    ImageEncoder,
}

impl WeightsKind {
    const ALL: [WeightsKind; 6] = [
        WeightsKind::Vae,
        WeightsKind::Lora,
        WeightsKind::Embedding,
        WeightsKind::ControlNet,
        WeightsKind::IpAdapter,
        WeightsKind::ImageEncoder,
    ];

    /// Its name in plans and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            WeightsKind::Vae => "vae",
            WeightsKind::Lora => "lora",
            WeightsKind::Embedding => "embedding",
            WeightsKind::ControlNet => "controlnet",
            WeightsKind::IpAdapter => "ip_adapter",
            WeightsKind::ImageEncoder => "image_encoder",
        }
    }

    /// Its key in a plan: files of different kinds may have the same name.
    pub fn key(self, name: &str) -> String {
        format!("{} {name}", self.as_str())
    }

    /// The kind and the name of a key in a plan; `None` if it is not a valid key.
    pub fn of_key(key: &str) -> Option<(WeightsKind, &str)> {
        let (kind, name) = key.split_once(' ')?;
        Some((WeightsKind::ALL.into_iter().find(|known| known.as_str() == kind)?, name))
    }
}

/// One entry of a list of weight files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightRef {
    /// The word before `=`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub word: Option<String>,
    /// The file as written.
    #[serde(rename = "file")]
    pub name: String,
    /// The number after the last `:`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<f64>,
    /// The first of two numbers: the weight in the text encoders, if it differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text_weight: Option<f64>,
}

impl std::fmt::Display for WeightRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(word) = &self.word {
            write!(f, "{word}=")?;
        }
        f.write_str(&self.name)?;
        if let Some(weight) = &self.text_weight {
            write!(f, ":{weight}")?;
        }
        match self.weight {
            Some(weight) => write!(f, ":{weight}"),
            None => Ok(()),
        }
    }
}

/// One entry: `file`, `file:0.8`, `file:0.5:0.8` with the weight in the text encoders first, or `word=file`; `None` if it
/// names no file.
fn entry(text: &str) -> Option<WeightRef> {
    let (word, mut name) = match text.split_once('=') {
        Some((word, rest)) if !word.contains(['/', '\\']) => (Some(word.trim()), rest),
        _ => (None, text),
    };
    let mut number = || {
        let (rest, weight) = name.rsplit_once(':')?;
        let weight = finite(weight)?;
        name = rest;
        Some(weight)
    };
    let weight = number();
    let text_weight = weight.and_then(|_| number());
    let name = name.trim();
    (!name.is_empty() && word != Some("")).then(|| WeightRef {
        word: word.map(str::to_owned),
        name: name.to_owned(),
        weight,
        text_weight,
    })
}

/// A number that is not infinite.
pub(crate) fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The entries of a list joined by ` + `; empty for `none` and empty text, `None` if an entry names no file.
pub fn parse_weights(text: &str) -> Option<Vec<WeightRef>> {
    match text.trim() {
        "" | "none" => Some(Vec::new()),
        _ => text.split(" + ").map(entry).collect(),
    }
}

/// A list as written in an experiment file.
pub(crate) fn list_text(list: &[WeightRef]) -> String {
    match list {
        [] => "none".to_owned(),
        _ => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed() {
        type Entry<'a> = (Option<&'a str>, &'a str, Option<f64>);
        let check = |text: &str, expected: Option<&[Entry]>| {
            let list = parse_weights(text);
            let read = list.as_ref().map(|list| {
                list.iter()
                    .map(|it| (it.word.as_deref(), it.name.as_str(), it.weight))
                    .collect::<Vec<Entry>>()
            });
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("", Some(&[]));
        check("none", Some(&[]));
        check("style", Some(&[(None, "style", None)]));
        check("a/style.safetensors:0.8", Some(&[(None, "a/style.safetensors", Some(0.8))]));
        check("style:0 + hand:-1.5", Some(&[(None, "style", Some(0.0)), (None, "hand", Some(-1.5))]));
        check("C:\\loras\\x", Some(&[(None, "C:\\loras\\x", None)]));
        check("hat=words/h.pt + b.pt", Some(&[(Some("hat"), "words/h.pt", None), (None, "b.pt", None)]));
        check("style + ", None);
        check(":0.5", None);
        check("=x", None);
    }

    #[test]
    fn a_second_weight_is_that_of_the_text_encoders() {
        let check = |text: &str, name: &str, text_weight: Option<f64>, weight: Option<f64>| {
            let list = parse_weights(text).unwrap();
            let expected = WeightRef { word: None, name: name.to_owned(), weight, text_weight };
            assert_eq!(list, [expected], "{text}");
            assert_eq!(list_text(&list), text);
        };
        check("style:0.5:0.8", "style", Some(0.5), Some(0.8));
        check("style:0:1", "style", Some(0.0), Some(1.0));
        check("a:b:0.8", "a:b", None, Some(0.8));
        check("C:\\x:0.5:-1", "C:\\x", Some(0.5), Some(-1.0));
    }
}
