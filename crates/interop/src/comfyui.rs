//! ComfyUI's `prompt`: the graph that was run, as JSON. A node is `{class_type, inputs}`, an input a value or a link
//! `[node, output]`.
//!
//! It is read backwards from the sampler whose latents were saved: text encoders, loaders and the size are its inputs.
//! Nodes that change the picture in other ways are listed in `Foreign::left`. After `nodes.py` of ComfyUI.

use super::foreign::{Foreign, Tool, number, plain};
use super::sampling;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// Nodes that hold values, load, encode, decode or save; they need not be listed in `Foreign::left`.
const PLAIN_NODES: &[&str] = &[
    "BasicGuider",
    "BasicScheduler",
    "CFGGuider",
    "CLIPLoader",
    "CLIPSetLastLayer",
    "CLIPTextEncode",
    "CheckpointLoader",
    "CheckpointLoaderSimple",
    "EmptyLatentImage",
    "KSampler",
    "KSamplerAdvanced",
    "KSamplerSelect",
    "LoadImage",
    "LoraLoader",
    "LoraLoaderModelOnly",
    "Note",
    "PreviewImage",
    "PrimitiveNode",
    "PrimitiveString",
    "PrimitiveStringMultiline",
    "RandomNoise",
    "Reroute",
    "SamplerCustom",
    "SamplerCustomAdvanced",
    "SaveImage",
    "SaveImageWebsocket",
    "UNETLoader",
    "VAEDecode",
    "VAEDecodeTiled",
    "VAEEncode",
    "VAELoader",
];

/// Nodes that denoise latents.
const SAMPLERS: &[&str] = &["KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"];

/// Reads the graph; `None` if the JSON is not a graph.
pub(super) fn read(json: &Json) -> Option<Foreign> {
    let graph = Graph { nodes: json.as_object()?, seen: BTreeSet::new() };
    if !graph.nodes.values().any(|node| node.get("class_type").is_some()) {
        return None;
    }
    let mut out = Foreign::new(Tool::ComfyUI);
    graph.read(&mut out);
    out.set("noise", "noise", "torch-cpu");
    convert_prompts(&mut out);
    Some(out.sorted())
}

/// Converts ComfyUI's prompts to A1111's dialect: parentheses weight words in both, all else is plain text in ComfyUI.
pub(super) fn convert_prompts(out: &mut Foreign) {
    let mut embeddings: Vec<String> = Vec::new();
    for at in 0..out.settings.len() {
        let (name @ ("prompt" | "negative_prompt"), value) = &out.settings[at] else { continue };
        let name = *name;
        let text = take_embeddings(value.as_text().unwrap_or_default(), &mut embeddings);
        if text.split_whitespace().any(|word| matches!(word, "AND" | "BREAK")) {
            out.note(format!(
                "{name} contains AND or BREAK: plain words in ComfyUI, but not in A1111's dialect"
            ));
        }
        if text.contains('(') {
            out.note("ComfyUI weights words in parentheses differently from A1111: similar, not the same");
        }
        out.settings[at].1 = text.replace('[', "\\[").replace(']', "\\]").as_str().into();
    }
    if !embeddings.is_empty() {
        out.set("embeddings", "embedding:", embeddings.join(" + ").as_str());
    }
    out.set("dialect", "dialect", "a1111");
}

/// Replaces `embedding:name` by the word, and adds the name to `names`.
fn take_embeddings(text: &str, names: &mut Vec<String>) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("embedding:") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || ",()[]:".contains(c)).unwrap_or(after.len());
        let name = &after[..end];
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        let word = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let endings = [".safetensors", ".pt", ".bin"];
        plain.push_str(endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word));
        rest = &after[end..];
    }
    plain + rest
}

struct Graph<'a> {
    nodes: &'a Map<String, Json>,
    /// The nodes visited so far, so that a cycle ends.
    seen: BTreeSet<String>,
}

/// A node by its name in the graph.
#[derive(Clone, Copy)]
struct Node<'a> {
    id: &'a str,
    class: &'a str,
    inputs: Option<&'a Map<String, Json>>,
}

impl<'a> Node<'a> {
    fn input(&self, name: &str) -> Option<&'a Json> {
        self.inputs?.get(name)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.class)
    }
}

impl<'a> Graph<'a> {
    fn read(mut self, out: &mut Foreign) {
        match self.sampler() {
            Some((sampler, others)) => {
                if others > 0 {
                    let plural = if others == 1 { "" } else { "s" };
                    let left = format!("{others} other sampler{plural} in the graph");
                    out.left("KSampler", left, "Maquette makes a picture in one pass");
                }
                self.sampling(out, sampler);
            }
            None => out.note("the graph has no sampler that Maquette supports"),
        }
        for node in self.all() {
            if !PLAIN_NODES.contains(&node.class) && !out.left.iter().any(|left| left.key == node.class) {
                let values = node.inputs.into_iter().flatten().filter(|(_, value)| !value.is_array());
                let values: Vec<String> =
                    values.map(|(name, value)| format!("{name} {}", plain(value))).collect();
                out.left(node.class, values.join(", "), "Maquette has no such node");
            }
        }
    }

    fn all(&self) -> Vec<Node<'a>> {
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

    /// The node that an input links to; reroutes are followed.
    fn link(&self, node: Node<'a>, input: &str) -> Option<Node<'a>> {
        let mut found = self.node(linked(node.input(input)?)?)?;
        for _ in 0..self.nodes.len() {
            let only = match (found.class, found.inputs) {
                ("Reroute", Some(inputs)) => inputs.values().next().and_then(linked),
                _ => None,
            };
            match only.and_then(|id| self.node(id)) {
                Some(next) => found = next,
                None => break,
            }
        }
        Some(found)
    }

    /// The value of an input; if it is a link, the first plain value of the linked node.
    fn value(&self, node: Node<'a>, input: &str) -> Option<&'a Json> {
        let value = node.input(input)?;
        if linked(value).is_none() {
            return Some(value);
        }
        let source = self.link(node, input)?;
        let names = [input, "value", "text", "string", "noise_seed", "seed"];
        names.iter().find_map(|name| source.input(name).filter(|value| linked(value).is_none()))
    }

    /// The sampler whose latents were saved, and how many others there are.
    fn sampler(&self) -> Option<(Node<'a>, usize)> {
        let samplers: Vec<Node> = self.all().into_iter().filter(|n| SAMPLERS.contains(&n.class)).collect();
        let saved = self.all().into_iter().find(|node| node.class.starts_with("SaveImage"));
        let feeds = saved.and_then(|node| self.upstream(node, SAMPLERS));
        // A second pass starts from the latents of the first pass, which has the size and the noise.
        let first = feeds.map(|mut found| {
            for _ in 0..samplers.len() {
                match self.link(found, "latent_image").and_then(|node| self.upstream(node, SAMPLERS)) {
                    Some(earlier) if earlier.id != found.id => found = earlier,
                    _ => break,
                }
            }
            found
        });
        let first = first.or_else(|| samplers.first().copied())?;
        Some((first, samplers.len().saturating_sub(1)))
    }

    /// The nearest node of those classes that feeds a node, or the node itself: breadth first.
    fn upstream(&self, from: Node<'a>, classes: &[&str]) -> Option<Node<'a>> {
        let mut seen = BTreeSet::new();
        let mut next = std::collections::VecDeque::from([from.id]);
        while let Some(node) = next.pop_front().and_then(|id| self.node(id)) {
            if classes.contains(&node.class) {
                return Some(node);
            }
            if seen.insert(node.id) {
                next.extend(node.inputs.into_iter().flatten().filter_map(|(_, value)| linked(value)));
            }
        }
        None
    }

    fn sampling(&mut self, out: &mut Foreign, node: Node<'a>) {
        let noise = self.link(node, "noise").unwrap_or(node);
        let seed = ["seed", "noise_seed"].iter().find_map(|name| Some((*name, self.value(noise, name)?)));
        if let Some((name, seed)) = seed {
            out.set_json("seed", &noise.key(name), seed);
        }
        let guider = self.link(node, "guider").unwrap_or(node);
        if let Some(cfg) = self.value(guider, "cfg") {
            out.set_json("guidance_scale", &guider.key("cfg"), cfg);
        } else if guider.class == "BasicGuider" {
            out.set("guidance_scale", "BasicGuider", 1.0);
        }
        let sampler = self.link(node, "sampler").unwrap_or(node);
        let sigmas = self.link(node, "sigmas").unwrap_or(node);
        if let Some(name) = self.value(sampler, "sampler_name").and_then(Json::as_str) {
            let schedule = self.value(sigmas, "scheduler").and_then(Json::as_str).unwrap_or("normal");
            let key = sampler.key("sampler_name");
            sampling::comfy(out, (&key, name), (&sigmas.key("scheduler"), schedule));
        }
        self.steps(out, sigmas);
        for (input, setting) in [("positive", "prompt"), ("negative", "negative_prompt")] {
            let conditioning = self
                .link(guider, input)
                .or_else(|| if input == "positive" { self.link(guider, "conditioning") } else { None });
            if let Some(node) = conditioning {
                self.text(out, node, setting);
            }
        }
        if let Some(model) = self.link(guider, "model").or_else(|| self.link(node, "model")) {
            self.model(out, model);
        }
        if let Some(latents) = self.link(node, "latent_image") {
            self.latents(out, latents);
        }
    }

    /// ComfyUI does all `steps`, of a schedule of `steps / denoise` steps; in diffusers, `steps` is the whole schedule.
    fn steps(&self, out: &mut Foreign, node: Node<'a>) {
        let Some(steps) = self.value(node, "steps") else { return };
        let denoise = self.value(node, "denoise").and_then(|json| number(&json.to_string()));
        let denoise = denoise.and_then(|value| value.as_number()).unwrap_or(1.0);
        match steps.as_i64() {
            Some(done) if denoise > 0.0 && denoise < 1.0 => {
                out.set("steps", &node.key("steps"), (done as f64 / denoise) as i64);
                out.set("strength", &node.key("denoise"), denoise);
                out.note(format!(
                    "ComfyUI does all {done} steps at denoise {denoise}, diffusers the last steps of a longer schedule"
                ));
            }
            _ => out.set_json("steps", &node.key("steps"), steps),
        }
        for (name, whole) in [("start_at_step", 0), ("end_at_step", 10_000)] {
            let value = self.value(node, name).and_then(Json::as_i64);
            let all = if whole == 0 { value <= Some(0) } else { value.is_none() || value >= steps.as_i64() };
            if let Some(value) = value.filter(|_| !all) {
                out.left(node.key(name), value.to_string(), "Maquette makes a picture in one pass");
            }
        }
    }

    /// Follows conditioning back to its text; nodes in between are listed with the unknown nodes.
    fn text(&mut self, out: &mut Foreign, node: Node<'a>, setting: &'static str) {
        let Some(encoder) = self.upstream(node, &["CLIPTextEncode"]) else {
            return out.left(node.class, "", "Maquette found no text in it");
        };
        match self.value(encoder, "text") {
            Some(Json::String(text)) => out.set(setting, &encoder.key("text"), text.as_str()),
            _ => {
                out.left(
                    encoder.key("text"),
                    "",
                    "the text comes from a node that Maquette does not support",
                );
            }
        }
        if setting == "prompt"
            && let Some(clip) = self.link(encoder, "clip").filter(|node| node.class == "CLIPSetLastLayer")
            && let Some(layer) = clip.input("stop_at_clip_layer")
        {
            last_layer(out, &clip.key("stop_at_clip_layer"), layer);
        }
    }

    /// The loader at the end of a chain of LoRAs.
    fn model(&mut self, out: &mut Foreign, mut node: Node<'a>) {
        let mut loras = Vec::new();
        while self.seen.insert(node.id.to_owned()) {
            if let Some(Json::String(name)) = node.input("lora_name") {
                let weight = node.input("strength_model").map_or("1".to_owned(), plain);
                if node.input("strength_clip").is_some_and(|clip| plain(clip) != weight) {
                    let clip = node.input("strength_clip").map_or(String::new(), plain);
                    out.left(node.key("strength_clip"), clip, "a LoRA has one weight");
                }
                loras.push(format!("{name}:{weight}"));
            }
            match self.link(node, "model") {
                Some(next) => node = next,
                None => break,
            }
        }
        let name = ["ckpt_name", "unet_name"].iter().find_map(|name| Some((*name, self.value(node, name)?)));
        if let Some((name, value)) = name {
            out.set_json("model", &node.key(name), value);
        }
        loras.reverse();
        if !loras.is_empty() {
            out.set("lora", "LoraLoader", loras.join(" + ").as_str());
        }
        if let Some(vae) = self.all().into_iter().find(|node| node.class == "VAELoader")
            && let Some(name) = vae.input("vae_name")
        {
            out.set_json("vae", "VAELoader.vae_name", name);
        }
    }

    fn latents(&self, out: &mut Foreign, node: Node<'a>) {
        if let Some(mask) = self.upstream(node, &["SetLatentNoiseMask", "VAEEncodeForInpaint"]) {
            out.note(format!("{} repaints inside a mask: set `mask`", mask.class));
        }
        if let Some(empty) = self.upstream(node, &["EmptyLatentImage"]) {
            for (edge, setting) in [("width", "width"), ("height", "height")] {
                if let Some(size) = self.value(empty, edge) {
                    out.set_json(setting, &empty.key(edge), size);
                }
            }
            if let Some(count) = empty.input("batch_size").and_then(Json::as_i64).filter(|count| *count > 1) {
                let why = "only the first picture of a batch has the noise of its seed";
                out.left(empty.key("batch_size"), count.to_string(), why);
            }
        } else if let Some(loaded) = self.upstream(node, &["LoadImage"])
            && let Some(name) = loaded.input("image")
        {
            out.set_json("init_image", &loaded.key("image"), name);
        }
    }
}

/// ComfyUI counts the layers from the end: -1 is the last.
pub(super) fn last_layer(out: &mut Foreign, key: &str, layer: &Json) {
    match layer.as_i64().or_else(|| layer.as_str()?.parse().ok()) {
        Some(layer) if layer < 0 => out.set("clip_skip", key, -1 - layer),
        _ => out.left(key, plain(layer), "allowed: a whole number below 0"),
    }
}

/// The node that an input comes from.
fn linked(value: &Json) -> Option<&str> {
    match value.as_array()?.as_slice() {
        [Json::String(id), Json::Number(_)] => Some(id),
        _ => None,
    }
}
