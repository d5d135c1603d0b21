//! ComfyUI's loaders: checkpoint, LoRAs, and what the text encoders are given.

use super::graph::{Graph, Node, Output, Wire};
use crate::foreign::{Foreign, plain};
use serde_json::Value as Json;

/// The nodes that load a sampler's model.
#[derive(Default)]
pub struct Loaders<'a> {
    /// Those of LoRAs.
    pub loras: Vec<Node<'a>>,
    /// The one of the model.
    pub model: Option<Node<'a>>,
}

/// Sets the checkpoint and the LoRAs on the way to it.
pub fn model<'a>(graph: &Graph<'a>, out: &mut Foreign, guider: Node<'a>) -> Loaders<'a> {
    let path = graph.path(out, guider, "model", Wire::Model);
    let (mut loaders, mut loras) = (Loaders::default(), Vec::new());
    for Output { node, .. } in path.iter().rev() {
        let found = loras_of(graph, *node);
        if !found.is_empty() {
            loaders.loras.push(*node);
            loras.extend(found);
        }
        if node.class == "RescaleCFG" {
            graph.set(out, "guidance_rescale", *node, "multiplier");
            out.note("ComfyUI rescales velocities, diffusers what the model predicts: the same for velocity models");
        }
    }
    // The last of these nodes decides; the path ends at the loader.
    if let Some(Output { node, .. }) = path.iter().find(|output| output.node.class == "ModelSamplingDiscrete")
    {
        sampling(graph, out, *node);
    }
    if !loras.is_empty() {
        out.set("lora", "LoraLoader", loras.join(" + ").as_str());
    }
    let Some(Output { node, .. }) = path.last().copied() else {
        out.left(guider.key("model"), "", "it is linked to no node, or in a circle");
        return loaders;
    };
    loaders.model = Some(node);
    match ["ckpt_name", "unet_name"].iter().find(|name| node.input(name).is_some()) {
        Some(name) => {
            graph.set(out, "model", node, name);
            let precision = graph.value(node, "weight_dtype").and_then(Json::as_str);
            if let Some(precision) = precision.filter(|precision| *precision != "default") {
                out.left(node.key("weight_dtype"), precision, "Maquette computes in `dtype`");
            }
        }
        None => out.left(
            node.class,
            node.values(),
            "the model comes from this node, which Maquette does not know",
        ),
    }
    loaders
}

/// What the model predicts, and whether its last timestep is pure noise: the node overrules the checkpoint.
fn sampling<'a>(graph: &Graph<'a>, out: &mut Foreign, node: Node<'a>) {
    let key = node.key("sampling");
    match graph.value(node, "sampling").and_then(Json::as_str) {
        Some("eps") => out.set("prediction_type", &key, "epsilon"),
        Some("v_prediction") => out.set("prediction_type", &key, "v_prediction"),
        Some("x0") => out.set("prediction_type", &key, "sample"),
        Some(other) => out.left(key, other, "Maquette has no such sampling"),
        None => graph.set(out, "prediction_type", node, "sampling"),
    }
    graph.set(out, "zero_snr", node, "zsnr");
}

/// The LoRAs that a node loads, each `name:weight`, or `name:text_weight:weight`.
fn loras_of<'a>(graph: &Graph<'a>, node: Node<'a>) -> Vec<String> {
    if node.class == "Power Lora Loader (rgthree)" {
        let on = |lora: &Json| lora.get("on").and_then(Json::as_bool) != Some(false);
        let entries = node.inputs.into_iter().flatten().map(|(_, value)| value).filter(|value| on(value));
        let entry =
            |lora: &Json| Some(format!("{}:{}", lora.get("lora")?.as_str()?, plain(lora.get("strength")?)));
        return entries.filter_map(entry).collect();
    }
    let Some(name) = graph.value(node, "lora_name").and_then(Json::as_str) else { return Vec::new() };
    let weight = graph.value(node, "strength_model").map_or("1".to_owned(), plain);
    let clip = match node.class {
        "LoraLoaderModelOnly" => Some("0".to_owned()),
        _ => graph.value(node, "strength_clip").map(plain),
    };
    // As in A1111, the text encoder's weight comes first.
    match clip.filter(|clip| clip.parse::<f64>().ok() != weight.parse().ok()) {
        Some(clip) => vec![format!("{name}:{clip}:{weight}")],
        None => vec![format!("{name}:{weight}")],
    }
}

/// A part of the model that comes from another file than the rest.
pub fn part<'a>(out: &mut Foreign, loaders: &Loaders<'a>, node: Node<'a>, part: &str) {
    let (class, id) = (node.class, node.id);
    let is_transformer = loaders.model.is_some_and(|model| model.input("unet_name").is_some());
    if part == "text encoder" && (is_transformer || loads_texts_of_flow(node)) {
        let name = |input: &&str| node.input(input).map(plain);
        let names: Vec<String> =
            ["clip_name", "clip_name1", "clip_name2", "clip_name3"].iter().filter_map(name).collect();
        let inside = if is_transformer { "" } else { "takes it from the model's file, or " };
        return out.note(format!(
            "the text encoder is {}: Maquette {inside}finds it beside the model under its published name",
            names.join(" + ")
        ));
    }
    let same = loaders.model.is_none_or(|model| model.id == id || same_file(model, node));
    if !same && !out.left.iter().any(|left| left.key == class) {
        out.left(class, node.values(), format!("Maquette takes the {part} from the model's own file"));
    }
}

/// Whether a node loads the text encoders of a model that predicts flow, whose checkpoints may be without them.
fn loads_texts_of_flow(node: Node<'_>) -> bool {
    let kind = node.input("type").and_then(Json::as_str).unwrap_or_default();
    match node.class {
        "TripleCLIPLoader" | "TripleCLIPLoaderGGUF" => true,
        "CLIPLoader" | "CLIPLoaderGGUF" | "DualCLIPLoader" | "DualCLIPLoaderGGUF" => {
            ["sd3", "flux", "flux2", "lumina2"].contains(&kind)
        }
        _ => false,
    }
}

/// Whether two nodes load the same checkpoint.
fn same_file(one: Node<'_>, other: Node<'_>) -> bool {
    one.input("ckpt_name").is_some() && one.input("ckpt_name") == other.input("ckpt_name")
}

/// The text encoder's last layer, and whether its LoRAs and its file are the model's.
pub fn clip<'a>(
    graph: &Graph<'a>,
    out: &mut Foreign,
    positives: &[Node<'a>],
    negatives: &[Node<'a>],
    loaders: &Loaders<'a>,
) {
    let loras = &loaders.loras;
    let mut layers: Vec<Option<&Json>> = Vec::new();
    for encoder in positives.iter().chain(negatives) {
        let path = graph.path(out, *encoder, "clip", Wire::Clip);
        let skip = path.iter().find(|output| output.node.class == "CLIPSetLastLayer");
        let layer = skip.and_then(|output| graph.value(output.node, "stop_at_clip_layer"));
        if let (Some(layer), true) = (layer, layers.is_empty()) {
            last_layer(out, "CLIPSetLastLayer.stop_at_clip_layer", layer);
        }
        layers.push(layer);
        let of_clip: Vec<&str> = path.iter().map(|output| output.node.id).collect();
        let unused =
            loras.iter().filter(|node| node.class != "LoraLoaderModelOnly" && !of_clip.contains(&node.id));
        for node in unused.collect::<Vec<_>>() {
            let key = node.key("clip");
            if !path.is_empty() && !out.left.iter().any(|left| left.key == key) {
                out.left(key, node.values(), "the text encoder is used without it; Maquette's has it");
            }
        }
        if let Some(Output { node, .. }) = path.last() {
            part(out, loaders, *node, "text encoder");
        }
        for Output { node, .. } in &path {
            let only_clip = node.class == "LoraLoader" && !loras.iter().any(|lora| lora.id == node.id);
            if only_clip && !out.left.iter().any(|left| left.key == node.key("model")) {
                out.left(node.key("model"), node.values(), "only the text encoder is used with it");
            }
        }
    }
    if layers.iter().any(|layer| *layer != layers[0]) {
        out.left(
            "CLIPSetLastLayer",
            "",
            "the prompts have different last layers; Maquette has one `clip_skip`",
        );
    }
}

/// SDXL's sizes, which Maquette takes from the picture, and the refiner's score.
pub fn sizes<'a>(graph: &Graph<'a>, out: &mut Foreign, encoders: &[Node<'a>]) {
    for node in encoders.iter().filter(|node| node.class.starts_with("CLIPTextEncodeSDXL")) {
        let differs = |(input, expected): (&&str, Option<i64>)| {
            let value = graph.value(*node, input).and_then(Json::as_i64);
            value.is_some_and(|value| expected != Some(value))
        };
        let edge = |name| out.get(name).and_then(maquette_core::Value::as_integer);
        let (width, height) = (edge("width"), edge("height"));
        let expected = [width, height, Some(0), Some(0), width, height];
        let inputs = ["width", "height", "crop_w", "crop_h", "target_width", "target_height"];
        let different: Vec<String> = inputs
            .iter()
            .zip(expected)
            .filter(|pair| differs(*pair))
            .filter_map(|(input, _)| Some(format!("{input} {}", plain(node.input(input)?))))
            .collect();
        if !different.is_empty() {
            out.left(
                node.class,
                different.join(", "),
                "Maquette tells SDXL the picture's own size, uncropped",
            );
        }
        if let Some(score) = node.input("ascore") {
            out.left(node.key("ascore"), plain(score), "Maquette does not have the refiner's score");
        }
    }
}

/// ComfyUI counts the layers from the end: -1 is the last.
pub fn last_layer(out: &mut Foreign, key: &str, layer: &Json) {
    match layer.as_i64().or_else(|| layer.as_str()?.parse().ok()) {
        Some(layer) if layer < 0 => out.set("clip_skip", key, -1 - layer),
        _ => out.left(key, plain(layer), "allowed: a whole number below 0"),
    }
}
