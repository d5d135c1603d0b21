//! Group nodes of older versions of ComfyUI's editor, as the subgraphs that replaced them.
//!
//! A group node has the open inputs, the outputs and the values of its nodes, one node after the other. Only a group whose
//! counts and types agree with its definition is opened: nothing is guessed. After `groupNode.ts` of ComfyUI's frontend.

use serde_json::{Value as Json, json};
use std::collections::{HashMap, HashSet};

/// The nodes that stand for a subgraph's inputs and outputs.
pub const INPUTS: i64 = -10;
pub const OUTPUTS: i64 = -20;

/// The subgraph of a group node, by its definition in `extra.groupNodes`; `None` if they do not agree.
pub fn subgraph(definition: &Json, group: &Json) -> Option<Json> {
    let internal: Vec<[u64; 4]> = array(definition, "links").iter().filter_map(ends).collect();
    let external: HashSet<(u64, u64)> = array(definition, "external").iter().filter_map(slot).collect();
    // The first link into an input counts.
    let into: HashMap<[u64; 2], usize> =
        internal.iter().enumerate().rev().map(|(id, link)| ([link[2], link[3]], id)).collect();
    let out_of: HashSet<(u64, u64)> = internal.iter().map(|link| (link[0], link[1])).collect();
    let (outer_inputs, outer_outputs) = (array(group, "inputs"), array(group, "outputs"));
    let mut values = array(group, "widgets_values").iter();
    let (mut nodes, mut links) = (Vec::new(), Vec::new());
    let (mut input, mut output) = (0, 0);
    for link in &internal {
        links.push(json!([links.len(), link[0], link[1], link[2], link[3]]));
    }
    for (number, node) in array(definition, "nodes").iter().enumerate() {
        let mut inputs = Vec::new();
        for (slot, inner) in array(node, "inputs").iter().enumerate() {
            let id = match into.get(&[number as u64, slot as u64]) {
                Some(id) => *id,
                // Values that are inputs come after the node's own inputs.
                None if inner.get("widget").is_some() => return None,
                None => {
                    same_type(outer_inputs.get(input)?, inner)?;
                    links.push(json!([links.len(), INPUTS, input, number, slot]));
                    input += 1;
                    links.len() - 1
                }
            };
            inputs.push(json!({ "name": inner.get("name"), "type": inner.get("type"), "link": id }));
        }
        for (slot, inner) in array(node, "outputs").iter().enumerate() {
            let place = (number as u64, slot as u64);
            if !out_of.contains(&place) || external.contains(&place) {
                same_type(outer_outputs.get(output)?, inner)?;
                links.push(json!([links.len(), number, slot, OUTPUTS, output]));
                output += 1;
            }
        }
        let own = array(node, "widgets_values").len();
        let own: Vec<&Json> = values.by_ref().take(own).collect();
        (own.len() == array(node, "widgets_values").len()).then_some(())?;
        nodes.push(json!({
            "id": number, "type": node.get("type"), "mode": node.get("mode"), "inputs": inputs,
            "outputs": node.get("outputs"), "widgets_values": own,
        }));
    }
    let agrees = (input, output) == (outer_inputs.len(), outer_outputs.len()) && values.next().is_none();
    agrees.then(|| json!({ "nodes": nodes, "links": links }))
}

fn array<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// `[from, from's output, to, to's input, …]`, the nodes by their place in the group.
fn ends(link: &Json) -> Option<[u64; 4]> {
    let part = |at: usize| link.get(at)?.as_u64();
    Some([part(0)?, part(1)?, part(2)?, part(3)?])
}

/// `[node, output, type]`: an output that is used inside and outside.
fn slot(external: &Json) -> Option<(u64, u64)> {
    Some((external.get(0)?.as_u64()?, external.get(1)?.as_u64()?))
}

fn same_type(outer: &Json, inner: &Json) -> Option<()> {
    (outer.get("type") == inner.get("type")).then_some(())
}
