//! ComfyUI's `workflow`: converts the editor's graph to the form of `prompt`.
//!
//! Needed for pictures that contain no `prompt`. The editor writes values without their names, so only the nodes that
//! `comfyui.rs` reads are supported. The names are after the `INPUT_TYPES` of ComfyUI's `nodes.py`; the editor adds a
//! value after each seed.

use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// The names of a node's values, in the editor's order; empty for a value to skip.
const WIDGETS: &[(&str, &[&str])] = &[
    ("KSampler", &["seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"]),
    (
        "KSamplerAdvanced",
        &[
            "add_noise",
            "noise_seed",
            "",
            "steps",
            "cfg",
            "sampler_name",
            "scheduler",
            "start_at_step",
            "end_at_step",
        ],
    ),
    ("SamplerCustom", &["add_noise", "noise_seed", "", "cfg"]),
    ("RandomNoise", &["noise_seed"]),
    ("KSamplerSelect", &["sampler_name"]),
    ("BasicScheduler", &["scheduler", "steps", "denoise"]),
    ("CFGGuider", &["cfg"]),
    ("CLIPTextEncode", &["text"]),
    ("CLIPSetLastLayer", &["stop_at_clip_layer"]),
    ("CheckpointLoaderSimple", &["ckpt_name"]),
    ("UNETLoader", &["unet_name"]),
    ("VAELoader", &["vae_name"]),
    ("LoraLoader", &["lora_name", "strength_model", "strength_clip"]),
    ("LoraLoaderModelOnly", &["lora_name", "strength_model"]),
    ("EmptyLatentImage", &["width", "height", "batch_size"]),
    ("LoadImage", &["image"]),
    ("PrimitiveNode", &["value"]),
    ("PrimitiveString", &["value"]),
    ("PrimitiveStringMultiline", &["value"]),
];

/// The modes of a node that is switched off: muted and bypassed.
const OFF: [i64; 2] = [2, 4];

/// The graph in the form of `prompt`; `None` if the JSON is not a workflow.
pub(super) fn as_prompt(workflow: &Json) -> Option<Json> {
    let nodes = workflow.get("nodes")?.as_array()?;
    let links = workflow.get("links").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    // A link is `[id, from, from's output, to, to's input, type]`.
    let sources: HashMap<i64, Json> = links
        .iter()
        .filter_map(|link| {
            let part = |at: usize| link.get(at)?.as_i64();
            Some((part(0)?, json!([part(1)?.to_string(), part(2)?])))
        })
        .collect();
    let mut graph = Map::new();
    for node in nodes {
        let (Some(id), Some(class)) = (node.get("id").and_then(Json::as_i64), node.get("type")) else {
            continue;
        };
        if node.get("mode").and_then(Json::as_i64).is_some_and(|mode| OFF.contains(&mode)) {
            continue;
        }
        let mut inputs = widgets(class.as_str()?, node.get("widgets_values"));
        for input in node.get("inputs").and_then(Json::as_array).into_iter().flatten() {
            let link = input.get("link").and_then(Json::as_i64).and_then(|link| sources.get(&link));
            if let (Some(name), Some(link)) = (input.get("name").and_then(Json::as_str), link) {
                inputs.insert(name.to_owned(), link.clone());
            }
        }
        graph.insert(id.to_string(), json!({ "class_type": class, "inputs": inputs }));
    }
    Some(Json::Object(graph))
}

fn widgets(class: &str, values: Option<&Json>) -> Map<String, Json> {
    let names = WIDGETS.iter().find(|(known, _)| *known == class).map_or(&[][..], |(_, names)| names);
    match values {
        Some(Json::Object(named)) => named.clone(),
        Some(Json::Array(values)) => {
            let named = names.iter().zip(values).filter(|(name, _)| !name.is_empty());
            named.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        }
        _ => Map::new(),
    }
}
