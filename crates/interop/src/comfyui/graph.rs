//! ComfyUI's graph: nodes `{class_type, inputs}`, whose inputs are values or links `[node, output]`.
//!
//! A link names an output, and the table of nodes says which input that output passes on. Deliberately not here: what the
//! nodes mean.

use super::nodes::{Kind, ONLY, value_input};
use crate::foreign::Foreign;
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

/// What a link carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Model,
    Clip,
    Vae,
    Conditioning,
    /// Latents or pixels.
    Picture,
}

impl Wire {
    /// The inputs that an unknown node is assumed to pass on. Of two conditionings, the first output is the positive one.
    fn usual_inputs(self, output: u64) -> &'static [&'static str] {
        match (self, output) {
            (Wire::Model, 0) => &["model"],
            (Wire::Clip, 0 | 1) => &["clip"],
            (Wire::Vae, _) => &["vae"],
            (Wire::Conditioning, 0) => &["conditioning", "positive"],
            (Wire::Conditioning, 1) => &["negative"],
            (Wire::Picture, 0) => &["samples", "latent", "latent_image", "image", "images", "pixels"],
            _ => &[],
        }
    }
}

/// The most nodes of a graph that is read: the largest ones that people share have some hundreds.
pub const MOST_NODES: usize = 10_000;

pub struct Graph<'a> {
    nodes: &'a Map<String, Json>,
}

/// A node by its name in the graph.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub id: &'a str,
    pub class: &'a str,
    pub inputs: Option<&'a Map<String, Json>>,
}

/// An output of a node.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    pub node: Node<'a>,
    pub number: u64,
}

impl<'a> Node<'a> {
    /// An input: a value or a link.
    pub fn input(&self, name: &str) -> Option<&'a Json> {
        self.inputs?.get(name)
    }

    /// An input's name with its class, for messages.
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.class)
    }

    /// Its inputs that are values, on one line.
    pub fn values(&self) -> String {
        let values = self.inputs.into_iter().flatten().filter(|(_, value)| !value.is_array());
        values
            .map(|(name, value)| format!("{name} {}", crate::foreign::plain(value)))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl<'a> Graph<'a> {
    /// The graph; `None` if the JSON is not one.
    pub fn of(json: &'a Json) -> Option<Graph<'a>> {
        let nodes = json.as_object().filter(|nodes| nodes.len() <= MOST_NODES)?;
        let is_graph = nodes.values().any(|node| node.get("class_type").is_some());
        is_graph.then_some(Graph { nodes })
    }

    /// Every node, by number.
    pub fn all(&self) -> Vec<Node<'a>> {
        let mut nodes: Vec<Node> = self.nodes.keys().filter_map(|id| self.node(id)).collect();
        // Names are usually numbers. The order must not depend on how the JSON was written.
        nodes.sort_by_key(|node| (node.id.parse::<u64>().unwrap_or(u64::MAX), node.id));
        nodes
    }

    fn node(&self, id: &str) -> Option<Node<'a>> {
        let (id, node) = self.nodes.get_key_value(id)?;
        let inputs = node.get("inputs").and_then(Json::as_object);
        Some(Node { id, class: node.get("class_type")?.as_str()?, inputs })
    }

    /// The output that an input is linked to.
    pub fn link(&self, node: Node<'a>, input: &str) -> Option<Output<'a>> {
        let (id, number) = linked(node.input(input)?)?;
        Some(Output { node: self.node(id)?, number })
    }

    /// The same, past nodes that only pass it on unchanged.
    pub fn source(&self, node: Node<'a>, input: &str) -> Option<Output<'a>> {
        let mut found = self.link(node, input)?;
        for _ in 0..self.nodes.len() {
            match Kind::of(found.node.class).and_then(|kind| kind.passes(found.number)) {
                Some(ONLY) => found = self.only_link(found.node)?,
                _ => return Some(found),
            }
        }
        None
    }

    /// The outputs that what an input carries comes from: the nearest first, last the one that makes it. A node that is not
    /// in the table is assumed to pass on its input of the usual name, which is noted.
    pub fn path(&self, out: &mut Foreign, node: Node<'a>, input: &str, wire: Wire) -> Vec<Output<'a>> {
        let (mut path, mut seen) = (Vec::new(), HashSet::new());
        let mut next = self.link(node, input);
        while let Some(output) = next {
            if !seen.insert((output.node.id, output.number)) {
                return Vec::new();
            }
            path.push(output);
            next = match Kind::of(output.node.class) {
                Some(kind) => match kind.passes(output.number) {
                    Some(ONLY) => self.only_link(output.node),
                    Some(input) => self.link(output.node, input),
                    None => None,
                },
                None => wire.usual_inputs(output.number).iter().find_map(|input| {
                    let found = self.link(output.node, input)?;
                    out.note(format!(
                        "{} is unknown: it is assumed to pass on its input `{input}`",
                        output.node.class
                    ));
                    Some(found)
                }),
            };
        }
        path
    }

    fn only_link(&self, node: Node<'a>) -> Option<Output<'a>> {
        let (id, number) = node.inputs?.values().find_map(linked)?;
        Some(Output { node: self.node(id)?, number })
    }

    /// The value of an input, also if it is linked to a node that holds one; `None` if it is computed.
    pub fn value(&self, node: Node<'a>, input: &str) -> Option<&'a Json> {
        let (mut node, mut input) = (node, input);
        for _ in 0..=self.nodes.len() {
            let value = node.input(input)?;
            if linked(value).is_none() {
                return Some(value);
            }
            node = self.source(node, input)?.node;
            input = value_input(node.class)?;
        }
        None
    }

    /// Sets a setting to the value of an input; one that a node computes is listed instead.
    pub fn set(&self, out: &mut Foreign, setting: &'static str, node: Node<'a>, input: &str) {
        match self.value(node, input) {
            Some(value) => out.set_json(setting, &node.key(input), value),
            None => {
                let from = self.source(node, input).map_or("no node", |output| output.node.class);
                out.left(
                    node.key(input),
                    "",
                    format!("the value comes from {from}, which Maquette does not follow"),
                );
            }
        }
    }

    /// The nearest node of those classes that feeds a node, or the node itself, by any link: breadth first.
    pub fn upstream(&self, from: Node<'a>, classes: &[&str]) -> Option<Node<'a>> {
        let mut seen = std::collections::BTreeSet::new();
        let mut next = std::collections::VecDeque::from([from.id]);
        while let Some(node) = next.pop_front().and_then(|id| self.node(id)) {
            if classes.contains(&node.class) {
                return Some(node);
            }
            if seen.insert(node.id) {
                next.extend(
                    node.inputs.into_iter().flatten().filter_map(|(_, value)| Some(linked(value)?.0)),
                );
            }
        }
        None
    }
}

/// The node and the output that an input comes from.
pub fn linked(value: &Json) -> Option<(&str, u64)> {
    match value.as_array()?.as_slice() {
        [Json::String(id), number] => Some((id, number.as_u64()?)),
        _ => None,
    }
}
