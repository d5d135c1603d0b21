//! ComfyUI's `workflow`: converts the editor's graph to the form of `prompt`.
//!
//! Needed for pictures that contain no `prompt`. The editor writes values without their names; the table of nodes has them.
//! Muted nodes are left out, bypassed ones pass on the input of the same type, subgraphs and group nodes are replaced by
//! their nodes. A group node that does not agree with its definition stays, and nothing is read through it.

use super::graph::{MOST_NODES, linked};
use super::group_nodes::{INPUTS, OUTPUTS, subgraph};
use super::nodes::{CONTROL, Kind};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// What the editor does to a seed after a run.
const CONTROLS: &[&str] = &["fixed", "increment", "decrement", "randomize"];

/// Modes of a node.
const MUTED: i64 = 2;
const BYPASSED: i64 = 4;

/// The deepest nesting of subgraphs that is read.
const DEEPEST: usize = 16;

/// The most nodes, slots and links of all graphs together. A subgraph counts as often as it is used: a few of them, each with
/// two of the next, would be millions.
const MOST_PARTS: usize = 20_000;

/// The most bypassed nodes and subgraphs that a link leads through.
const LONGEST: usize = 256;

/// The graph in the form of `prompt`; `None` if the JSON is not a workflow.
pub fn as_prompt(workflow: &Json) -> Option<Json> {
    workflow.get("nodes")?.as_array()?;
    let subgraphs = workflow.pointer("/definitions/subgraphs").and_then(Json::as_array);
    let id = |subgraph: &'_ Json| subgraph.get("id").and_then(Json::as_str).map(str::to_owned);
    let subgraphs = subgraphs.into_iter().flatten().filter_map(|graph| Some((id(graph)?, graph))).collect();
    let groups = workflow.pointer("/extra/groupNodes");
    let mut flat = Flat { subgraphs, groups, nodes: Map::new(), passes: HashMap::new(), parts: 0 };
    flat.add(workflow, "", &[], &[], 0);
    if flat.parts > MOST_PARTS {
        return None;
    }
    Some(Json::Object(flat.linked()))
}

/// The nodes of all subgraphs, with names such as `3:7` for the node 7 in the node 3.
struct Flat<'a> {
    subgraphs: HashMap<String, &'a Json>,
    /// The definitions of group nodes by their names.
    groups: Option<&'a Json>,
    nodes: Map<String, Json>,
    /// Outputs that are those of other nodes, or of none: bypassed nodes' and subgraphs'.
    passes: HashMap<(String, u64), Option<Json>>,
    /// How many nodes, slots and links there are so far.
    parts: usize,
}

impl<'a> Flat<'a> {
    /// Adds the nodes of a graph. `inputs` is what its inputs are linked to, `values` the values that they have instead.
    /// Gives the sources of its outputs.
    fn add(
        &mut self,
        graph: &Json,
        prefix: &str,
        inputs: &[Option<Json>],
        values: &[Option<Json>],
        depth: usize,
    ) -> HashMap<u64, Json> {
        let (mut sources, mut given, mut outputs) = (HashMap::new(), HashMap::new(), HashMap::new());
        self.parts = self.parts.saturating_add(parts(graph));
        if self.parts > MOST_PARTS {
            return outputs;
        }
        for link in array(graph, "links").iter().filter_map(Link::of) {
            let source = match link.from {
                INPUTS => {
                    let at = link.output as usize;
                    given.extend(values.get(at).cloned().flatten().map(|value| (link.id, value)));
                    inputs.get(at).cloned().flatten()
                }
                from => Some(json!([format!("{prefix}{from}"), link.output])),
            };
            let Some(source) = source else { continue };
            if link.to == OUTPUTS {
                outputs.insert(link.input, source.clone());
            }
            sources.insert(link.id, source);
        }
        for node in array(graph, "nodes") {
            let class = node.get("type").and_then(Json::as_str);
            let (Some(id), Some(class)) = (node.get("id").and_then(Json::as_i64), class) else { continue };
            let id = format!("{prefix}{id}");
            let of = |map: &HashMap<i64, Json>, input: &Json| map.get(&input.get("link")?.as_i64()?).cloned();
            let inputs: Vec<Input> = array(node, "inputs")
                .iter()
                .map(|input| Input {
                    name: input.get("name").and_then(Json::as_str),
                    kind: input.get("type"),
                    link: of(&sources, input),
                    value: of(&given, input),
                })
                .collect();
            match node.get("mode").and_then(Json::as_i64) {
                Some(MUTED) => {}
                Some(BYPASSED) => self.bypass(&id, node, &inputs),
                _ if self.subgraphs.contains_key(class) && depth < DEEPEST => {
                    let inner = self.subgraphs[class];
                    self.open(inner, &id, node, &inputs, &promoted(node), depth);
                }
                _ => {
                    if let Some(inner) = self.group(class, node).filter(|_| depth < DEEPEST) {
                        self.open(&inner, &id, node, &inputs, &[], depth);
                        continue;
                    }
                    let mut named = widgets(class, node.get("widgets_values"));
                    for input in inputs {
                        if let (Some(name), Some(value)) = (input.name, input.link.or(input.value)) {
                            named.insert(name.to_owned(), value);
                        }
                    }
                    self.nodes.insert(id, json!({ "class_type": class, "inputs": named }));
                }
            }
        }
        outputs
    }

    /// Adds the nodes of a subgraph in the place of the node that stands for it.
    fn open(
        &mut self,
        inner: &Json,
        id: &str,
        node: &Json,
        inputs: &[Input<'_>],
        values: &[Option<Json>],
        depth: usize,
    ) {
        let links: Vec<Option<Json>> = inputs.iter().map(|input| input.link.clone()).collect();
        let sources = self.add(inner, &format!("{id}:"), &links, values, depth + 1);
        for number in 0..array(node, "outputs").len() as u64 {
            self.passes.insert((id.to_owned(), number), sources.get(&number).cloned());
        }
    }

    /// The subgraph of a group node, whose class is `workflow>NAME`, in older versions `workflow/NAME`.
    fn group(&self, class: &str, node: &Json) -> Option<Json> {
        let name = class.strip_prefix("workflow")?.strip_prefix(['>', '/'])?;
        let definition = self.groups?.get(name)?;
        if parts(definition) > MOST_PARTS {
            return None;
        }
        subgraph(definition, node)
    }

    /// Each output of a bypassed node is the input of the same type, the one at the output's own place first.
    fn bypass(&mut self, id: &str, node: &Json, inputs: &[Input<'_>]) {
        for (number, output) in array(node, "outputs").iter().enumerate() {
            let same = |input: &&Input<'_>| input.kind == output.get("type");
            let found = inputs.get(number).filter(same).or_else(|| inputs.iter().find(same));
            self.passes.insert((id.to_owned(), number as u64), found.and_then(|input| input.link.clone()));
        }
    }

    /// The nodes, with links past those that only pass on.
    fn linked(mut self) -> Map<String, Json> {
        let passes = std::mem::take(&mut self.passes);
        for node in self.nodes.values_mut() {
            let Some(Json::Object(inputs)) = node.get_mut("inputs") else { continue };
            inputs.retain(|_, value| match source(&passes, value) {
                Some(source) => {
                    *value = source;
                    true
                }
                None => false,
            });
        }
        self.nodes
    }
}

/// The value or link that an input really has; `None` if it is linked to nothing in the end.
fn source(passes: &HashMap<(String, u64), Option<Json>>, value: &Json) -> Option<Json> {
    let mut value = value.clone();
    for _ in 0..=passes.len().min(LONGEST) {
        let Some((id, output)) = linked(&value) else { return Some(value) };
        match passes.get(&(id.to_owned(), output)) {
            Some(next) => value = next.clone()?,
            None => return Some(value),
        }
    }
    None
}

/// How many nodes, slots of nodes and links a graph has, without those of its subgraphs.
fn parts(graph: &Json) -> usize {
    let slots = |node: &Json| array(node, "inputs").len() + array(node, "outputs").len();
    let nodes = array(graph, "nodes");
    nodes.len() + nodes.iter().map(slots).sum::<usize>() + array(graph, "links").len()
}

/// Whether a graph, of either form, has more parts than are read.
pub fn is_too_large(json: &Json) -> bool {
    let many = |json: &Json| json.as_object().is_some_and(|nodes| nodes.len() > MOST_NODES);
    let prompt = json.get("prompt").is_some_and(many);
    // Subgraphs are counted by opening them.
    many(json)
        || prompt
        || parts(json) > MOST_PARTS
        || json.get("nodes").is_some() && as_prompt(json).is_none()
}

/// An input of a node: what it is linked to, or the value that a subgraph's node has for it.
struct Input<'a> {
    name: Option<&'a str>,
    kind: Option<&'a Json>,
    link: Option<Json>,
    value: Option<Json>,
}

fn array<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// A link: `[id, from, from's output, to, to's input, type]`, in subgraphs an object.
struct Link {
    id: i64,
    from: i64,
    output: u64,
    to: i64,
    input: u64,
}

impl Link {
    fn of(link: &Json) -> Option<Link> {
        let names = ["id", "origin_id", "origin_slot", "target_id", "target_slot"];
        let part = |at: usize| link.get(at).or_else(|| link.get(names[at]));
        Some(Link {
            id: part(0)?.as_i64()?,
            from: part(1)?.as_i64()?,
            output: part(2)?.as_u64()?,
            to: part(3)?.as_i64()?,
            input: part(4)?.as_u64()?,
        })
    }
}

/// The values of a subgraph's inputs that are not linked but shown as values on its node.
fn promoted(node: &Json) -> Vec<Option<Json>> {
    let mut values = node.get("widgets_values").and_then(Json::as_array).into_iter().flatten();
    let value = |input: &Json| input.get("widget").and_then(|_| values.next().cloned());
    array(node, "inputs").iter().map(value).collect()
}

/// A node's values with their names.
fn widgets(class: &str, values: Option<&Json>) -> Map<String, Json> {
    let names = Kind::of(class).map_or(&[][..], |kind| kind.widgets);
    match values {
        Some(Json::Object(named)) => named.clone(),
        Some(Json::Array(values)) => {
            let mut named = Map::new();
            let mut values = values.iter().peekable();
            for name in names {
                // Versions without control do not write it.
                let control = |value: &&Json| value.as_str().is_some_and(|text| CONTROLS.contains(&text));
                let value = if *name == CONTROL { values.next_if(control) } else { values.next() };
                if let Some(value) = value.filter(|_| *name != CONTROL) {
                    named.insert((*name).to_owned(), value.clone());
                }
            }
            named
        }
        _ => Map::new(),
    }
}
