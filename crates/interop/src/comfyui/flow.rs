//! Models that predict flow, as a graph shows them, and the nodes that only they have: shift and distilled guidance.
//!
//! A graph does not say of which kind its model is. The type of the text encoder's loader does, and so do nodes that are for
//! such models alone. After `comfy/model_sampling.py` and `comfy_extras/nodes_model_advanced.py` of ComfyUI.

use super::graph::{Graph, Node, Wire};
use crate::foreign::{Foreign, plain};
use serde_json::Value as Json;

/// What kind of model predicts flow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    StableDiffusion3,
    Flux2,
    /// Z-Image, FLUX.1, Anima and others: evenly spaced steps, then shifted.
    Even,
    QwenImage,
    /// One that the graph does not tell.
    Unknown,
}

const SHIFTS: &[&str] = &["ModelSamplingAuraFlow", "ModelSamplingSD3", "ModelSamplingFlux"];
const CLIP_LOADERS: &[&str] = &["CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader"];
/// In the published name of Anima's text encoder.
const QWEN_OF_ANIMA: &str = "qwen_3_06b";
const FLUX_PROMPTS: &[&str] = &["FluxGuidance", "CLIPTextEncodeFlux"];

impl Flow {
    /// What the model of a sampler is; `None` if nothing in the graph says that it predicts flow.
    pub fn of<'a>(graph: &Graph<'a>, sampler: Node<'a>, guider: Node<'a>) -> Option<Flow> {
        let has = |classes: &[&str]| graph.upstream(sampler, classes).is_some();
        let loader = graph.upstream(guider, CLIP_LOADERS);
        let kind = loader.and_then(|loader| graph.value(loader, "type")).and_then(Json::as_str);
        if loader.is_some_and(|loader| loader.class == "TripleCLIPLoader") {
            return Some(Flow::StableDiffusion3);
        }
        // ComfyUI knows Anima's text encoder by its tensors, and ignores the type.
        let name = loader.and_then(|loader| graph.value(loader, "clip_name")).and_then(Json::as_str);
        if name.is_some_and(|name| name.contains(QWEN_OF_ANIMA)) {
            return Some(Flow::Even);
        }
        match kind {
            Some("sd3") => return Some(Flow::StableDiffusion3),
            Some("flux2") => return Some(Flow::Flux2),
            Some("qwen_image") => return Some(Flow::QwenImage),
            Some("lumina2" | "flux" | "chroma") => return Some(Flow::Even),
            _ => {}
        }
        if has(&["EmptyFlux2LatentImage", "Flux2Scheduler"]) {
            return Some(Flow::Flux2);
        }
        if has(FLUX_PROMPTS) {
            return Some(Flow::Even);
        }
        (has(SHIFTS) || has(&["EmptySD3LatentImage"])).then_some(Flow::Unknown)
    }

    /// ComfyUI's schedule with the steps that Maquette's `flow_euler` does for such a model; the error says why none is known.
    pub fn own_schedule(self) -> Result<&'static str, &'static str> {
        match self {
            Flow::StableDiffusion3 => Ok("normal"),
            Flow::Flux2 => Ok("Flux2Scheduler"),
            Flow::Even => Ok("simple"),
            Flow::QwenImage => {
                Err("flow_euler stretches the steps of Qwen-Image to end at a noise level of 0.02, as \
                                    diffusers does, and ComfyUI does not")
            }
            Flow::Unknown => Err(
                "the graph does not say of which kind the model is: flow_euler takes the steps of `simple` \
                                  for Z-Image and FLUX, those of `normal` for Stable Diffusion 3",
            ),
        }
    }
}

/// Sets the shift to that of the last node with one on the way to the model; whether there is one.
pub fn shift<'a>(graph: &Graph<'a>, out: &mut Foreign, guider: Node<'a>) -> bool {
    let path = graph.path(out, guider, "model", Wire::Model);
    let Some(output) = path.iter().find(|output| SHIFTS.contains(&output.node.class)) else { return false };
    let node = output.node;
    if node.class != "ModelSamplingFlux" {
        graph.set(out, "shift", node, "shift");
        return true;
    }
    let number = |input| graph.value(node, input).and_then(Json::as_f64);
    let inputs = (number("max_shift"), number("base_shift"), number("width"), number("height"));
    let (Some(max), Some(base), Some(width), Some(height)) = inputs else {
        out.left(node.class, node.values(), "its shift comes from nodes that Maquette does not follow");
        return true;
    };
    // On the line through 256 and 4096 tokens, each of 16 pixels.
    let slope = (max - base) / (4096.0 - 256.0);
    let exponent = (width * height / 256.0) * slope + (base - slope * 256.0);
    out.set("shift", node.class, exponent.exp());
    true
}

/// Sets the guidance scale that is an input of FLUX.1's transformer, from the node nearest to the sampler. Whether there is one.
pub fn guidance<'a>(graph: &Graph<'a>, out: &mut Foreign, guider: Node<'a>, positive: &str) -> bool {
    let path = graph.path(out, guider, positive, Wire::Conditioning);
    let Some(output) = path.iter().find(|output| FLUX_PROMPTS.contains(&output.node.class)) else {
        return false;
    };
    graph.set(out, "guidance_scale", output.node, "guidance");
    if graph.value(guider, "cfg").is_some_and(|cfg| cfg.as_f64() != Some(1.0)) {
        graph.set(out, "true_cfg_scale", guider, "cfg");
    }
    true
}

/// Lists the sizes of nodes whose steps depend on them, if they are not the picture's.
pub fn size_of_steps<'a>(graph: &Graph<'a>, out: &mut Foreign, node: Node<'a>) {
    let edge = |name: &str| out.get(name).and_then(maquette_core::Value::as_integer);
    let differs = ["width", "height"].iter().any(|name| {
        let value = graph.value(node, name).and_then(Json::as_i64);
        value.is_some() && value != edge(name)
    });
    if differs {
        let sizes = ["width", "height"].map(|name| graph.value(node, name).map_or("?".to_owned(), plain));
        out.left(node.class, sizes.join(" × "), "Maquette takes the steps of the picture's own size");
    }
}
