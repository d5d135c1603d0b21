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
}

impl WeightsKind {
    /// Its name in plans and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            WeightsKind::Vae => "vae",
            WeightsKind::Lora => "lora",
            WeightsKind::Embedding => "embedding",
        }
    }

    /// Its key in a plan: files of different kinds may have the same name.
    pub fn key(self, name: &str) -> String {
        format!("{} {name}", self.as_str())
    }

    /// The kind and the name of a key in a plan; `None` if it is not a valid key.
    pub fn of_key(key: &str) -> Option<(WeightsKind, &str)> {
        let (kind, name) = key.split_once(' ')?;
        let kinds = [WeightsKind::Vae, WeightsKind::Lora, WeightsKind::Embedding];
        Some((kinds.into_iter().find(|known| known.as_str() == kind)?, name))
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
}

impl std::fmt::Display for WeightRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(word) = &self.word {
            write!(f, "{word}=")?;
        }
        f.write_str(&self.name)?;
        match self.weight {
            Some(weight) => write!(f, ":{weight}"),
            None => Ok(()),
        }
    }
}

/// The word, the file and the weight of one entry: `file`, `file:0.8` or `word=file`; `None` if it names no file.
fn entry(text: &str) -> Option<(Option<&str>, &str, Option<f64>)> {
    let (word, rest) = match text.split_once('=') {
        Some((word, rest)) if !word.contains(['/', '\\']) => (Some(word.trim()), rest),
        _ => (None, text),
    };
    let weighted = rest.rsplit_once(':').and_then(|(name, weight)| {
        let weight: f64 = weight.trim().parse().ok()?;
        weight.is_finite().then_some((name, weight))
    });
    let (name, weight) = weighted.map_or((rest, None), |(name, weight)| (name, Some(weight)));
    let name = name.trim();
    (!name.is_empty() && word != Some("")).then_some((word, name, weight))
}

/// The entries of a list joined by ` + `; empty for `none` and empty text, `None` if an entry names no file.
pub fn parse_weights(text: &str) -> Option<Vec<WeightRef>> {
    let owned = |text| {
        let (word, name, weight) = entry(text)?;
        Some(WeightRef { word: word.map(str::to_owned), name: name.to_owned(), weight })
    };
    match text.trim() {
        "" | "none" => Some(Vec::new()),
        _ => text.split(" + ").map(owned).collect(),
    }
}

/// A list as written in an experiment file.
pub(crate) fn list_text(list: &[WeightRef]) -> String {
    match list {
        [] => "none".to_owned(),
        _ => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
    }
}

/// Splits a prompt into the text without its `<lora:name:weight>` tags, and the names and weights of the tags; a tag
/// without a weight has weight 1.
///
/// Tags without a name or with an invalid weight stay in the text.
pub fn take_loras(prompt: &str) -> (String, Vec<(&str, f64)>) {
    let (mut text, mut loras) = (String::with_capacity(prompt.len()), Vec::new());
    let mut rest = prompt;
    while let Some(start) = rest.find("<lora:") {
        let (before, tag) = rest.split_at(start);
        let Some(end) = tag.find('>') else { break };
        let (tag, after) = tag.split_at(end + 1);
        text.push_str(before);
        match entry(&tag["<lora:".len()..end]) {
            Some((None, name, weight)) if weight.is_some() || !name.contains(':') => {
                loras.push((name, weight.unwrap_or(1.0)));
            }
            _ => text.push_str(tag),
        }
        rest = after;
    }
    text.push_str(rest);
    (text, loras)
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
    fn tags_are_removed_from_a_prompt() {
        let check = |prompt: &str, text: &str, loras: &[(&str, f64)]| {
            assert_eq!(take_loras(prompt), (text.to_owned(), loras.to_vec()), "{prompt}");
        };
        check("a cat", "a cat", &[]);
        check("a cat <lora:style:0.8>, oil", "a cat , oil", &[("style", 0.8)]);
        check("<lora:a><lora:b:0>", "", &[("a", 1.0), ("b", 0.0)]);
        check("<lora:a:b> <lora:> <lora:x", "<lora:a:b> <lora:> <lora:x", &[]);
        check("<b> é <lora:é:2>", "<b> é ", &[("é", 2.0)]);
    }
}
