//! The texts behind ComfyUI's conditionings.
//!
//! Nodes that join conditionings become `BREAK` and `AND` of A1111's dialect where these do the same. Deliberately not here:
//! the syntax inside a text.

use super::dialect::{Converter, without_separators};
use super::graph::{Graph, Node, Output, Wire};
use crate::foreign::{Foreign, plain};
use serde_json::Value as Json;
use std::cell::Cell;

/// Text encoders, and their inputs with text: one for each part of the model.
const ENCODERS: &[(&str, &[&str])] = &[
    ("CLIPTextEncode", &["text"]),
    ("CLIPTextEncodeFlux", &["t5xxl", "clip_l"]),
    ("CLIPTextEncodeSD3", &["clip_g", "clip_l", "t5xxl"]),
    ("CLIPTextEncodeSDXL", &["text_g", "text_l"]),
    ("CLIPTextEncodeSDXLRefiner", &["text"]),
];

/// The most nodes with conditionings and texts that are visited for one picture, and the most bytes of texts that they may
/// put together. A few nodes that each join the next one with itself would be millions.
const MOST_VISITS: usize = 1000;
const MOST_BYTES: usize = 1 << 20;

/// The most nodes from the sampler to a text encoder that join conditionings or texts.
const DEEPEST: usize = 64;

/// Why there is no text, and what the graph has instead.
struct Missing {
    key: String,
    value: String,
    why: String,
}

/// Reads the prompts of one sampler.
pub struct Prompts<'g, 'a> {
    graph: &'g Graph<'a>,
    converter: Converter,
    visits: Cell<usize>,
    bytes: Cell<usize>,
    /// The text encoders of the prompts read so far.
    pub encoders: Vec<Node<'a>>,
}

impl<'g, 'a> Prompts<'g, 'a> {
    pub fn new(graph: &'g Graph<'a>) -> Prompts<'g, 'a> {
        Prompts {
            graph,
            converter: Converter::default(),
            visits: Cell::new(0),
            bytes: Cell::new(0),
            encoders: Vec::new(),
        }
    }

    /// Sets a prompt to the text that an input of a sampler or guider comes from, or lists why it has none.
    pub fn set(&mut self, out: &mut Foreign, setting: &'static str, node: Node<'a>, input: &str) {
        match self.texts(out, setting, node, input, 0) {
            Ok(texts) if texts.len() > 1 && setting == "negative_prompt" => {
                let why = "Maquette has no AND in negative prompts";
                out.left("ConditioningCombine", texts.join(" + "), why);
            }
            Ok(texts) => out.set(setting, input, composed(&texts).as_str()),
            Err(Missing { key, value, why }) => out.left(key, value, why),
        }
    }

    /// Sets the textual inversions and the dialect.
    pub fn finish(self, out: &mut Foreign) {
        self.converter.finish(out);
    }

    /// The texts that a conditioning is made of, each predicted on its own, all with the same weight.
    fn texts(
        &mut self,
        out: &mut Foreign,
        setting: &str,
        node: Node<'a>,
        input: &str,
        depth: usize,
    ) -> Result<Vec<String>, Missing> {
        let missing = |key: String, why: String| Missing { key, value: String::new(), why };
        let Some(Output { node: source, .. }) = self.graph.path(out, node, input, Wire::Conditioning).pop()
        else {
            return Err(missing(node.key(input), "it is linked to no node, or in a circle".to_owned()));
        };
        if depth > DEEPEST || !self.visit() {
            return Err(missing(source.class.to_owned(), "it is joined with others too often".to_owned()));
        }
        if let Some((_, inputs)) = ENCODERS.iter().find(|(class, _)| *class == source.class) {
            let text = self.encoder(out, setting, source, inputs)?;
            return Ok(vec![if depth > 0 { without_separators(&text) } else { text }]);
        }
        let part = |prompts: &mut Self, out: &mut Foreign, input: &str| {
            prompts.texts(out, setting, source, input, depth + 1)
        };
        match source.class {
            "ConditioningZeroOut" => {
                // Without guidance the negative prompt has no effect, whatever it is.
                let scale = out.get("true_cfg_scale").or_else(|| out.get("guidance_scale"));
                let scale = scale.and_then(maquette_core::Value::as_number);
                if setting != "negative_prompt" || scale.is_none_or(|scale| scale > 1.0) {
                    out.note(
                        "ConditioningZeroOut replaces the embeddings by zeros; Maquette encodes the empty prompt, which in SDXL means zeros too",
                    );
                }
                Ok(vec![String::new()])
            }
            "ConditioningCombine" => {
                let mut texts = part(self, out, "conditioning_1")?;
                texts.extend(part(self, out, "conditioning_2")?);
                Ok(texts)
            }
            "ConditioningConcat" => {
                let to = part(self, out, "conditioning_to")?;
                let from = part(self, out, "conditioning_from")?;
                // ComfyUI takes the first of several.
                let from = from.first().map(String::as_str).unwrap_or_default();
                let bytes = to.iter().map(|to| to.len() + from.len()).sum();
                if !self.spend(bytes) {
                    return Err(missing(source.class.to_owned(), "the text is too long".to_owned()));
                }
                Ok(to.iter().map(|to| format!("{to} BREAK {from}")).collect())
            }
            "ConditioningAverage" => {
                let to = part(self, out, "conditioning_to")?;
                let from = part(self, out, "conditioning_from")?;
                let strength =
                    self.graph.value(source, "conditioning_to_strength").map_or("?".to_owned(), plain);
                match strength.parse::<f64>() {
                    Ok(1.0) => Ok(to),
                    _ => Err(Missing {
                        key: source.class.to_owned(),
                        value: format!(
                            "{strength} of {:?}, the rest of {:?}",
                            to.join(" + "),
                            from.join(" + ")
                        ),
                        why: "Maquette has no average of two prompts".to_owned(),
                    }),
                }
            }
            class => Err(missing(
                class.to_owned(),
                format!("`{input}` comes from this node, in which Maquette finds no text"),
            )),
        }
    }

    fn encoder(
        &mut self,
        out: &mut Foreign,
        setting: &str,
        node: Node<'a>,
        inputs: &[&str],
    ) -> Result<String, Missing> {
        let mut texts: Vec<String> = Vec::new();
        for input in inputs.iter().filter(|input| node.input(input).is_some()) {
            let text = self.text(node, input, 0).ok_or_else(|| Missing {
                key: node.key(input),
                value: String::new(),
                why: match self.graph.source(node, input) {
                    Some(source) => {
                        format!("the text is made by {}, which Maquette does not support", source.node.class)
                    }
                    None => "it is not text".to_owned(),
                },
            })?;
            texts.push(text);
        }
        if !self.spend(texts.iter().map(String::len).sum()) {
            let (key, why) = (node.class.to_owned(), "the text is too long".to_owned());
            return Err(Missing { key, value: String::new(), why });
        }
        self.encoders.push(node);
        let Some(first) = texts.first().cloned() else {
            let key = node.class.to_owned();
            return Err(Missing {
                key,
                value: String::new(),
                why: "Maquette found no text in it".to_owned(),
            });
        };
        if texts.iter().all(|text| *text == first) {
            return Ok(self.converter.convert(out, setting, &first));
        }
        let named = inputs.iter().zip(&texts).map(|(input, text)| format!("{input} {text:?}"));
        Err(Missing {
            key: node.class.to_owned(),
            value: named.collect::<Vec<_>>().join(", "),
            why: "Maquette gives every text encoder the same text".to_owned(),
        })
    }

    /// Counts a node; whether it may be read.
    fn visit(&self) -> bool {
        self.visits.set(self.visits.get() + 1);
        self.visits.get() <= MOST_VISITS
    }

    /// Counts bytes of texts that are put together; whether there may be as many.
    fn spend(&self, bytes: usize) -> bool {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.bytes.get() <= MOST_BYTES
    }

    /// The text of an input, also if it is put together from others.
    fn text(&self, node: Node<'a>, input: &str, depth: usize) -> Option<String> {
        if let Some(value) = self.graph.value(node, input) {
            return matches!(value, Json::String(_) | Json::Number(_)).then(|| plain(value));
        }
        let source = self.graph.source(node, input)?.node;
        if source.class != "StringConcatenate" || depth > DEEPEST || !self.visit() {
            return None;
        }
        let part = |input| self.text(source, input, depth + 1);
        let text = [part("string_a")?, part("delimiter").unwrap_or_default(), part("string_b")?].concat();
        self.spend(text.len()).then_some(text)
    }
}

/// One prompt that predicts the average of several: ComfyUI averages them, A1111's `AND` adds them up.
fn composed(texts: &[String]) -> String {
    match texts {
        [text] => text.clone(),
        _ => {
            let weight = 1.0 / texts.len() as f64;
            texts.iter().map(|text| format!("{text} :{weight}")).collect::<Vec<_>>().join(" AND ")
        }
    }
}
