//! ComfyUI's `prompt`, the graph that was run, and `workflow`, the editor's.
//!
//! The graph is read backwards from the picture that was saved: its decoder, its sampler, and the sampler's text encoders,
//! loaders and latents. Nodes that change the picture in other ways are listed in `Foreign::left`, and so is what cannot be
//! followed: nothing is guessed. After `nodes.py` and `comfy_extras/` of ComfyUI.

mod dialect;
mod flow;
mod graph;
mod group_nodes;
mod loaders;
mod nodes;
mod prompts;
mod sigmas;
mod steps;
mod workflow;

pub(super) use dialect::{Converter, convert_prompts};
pub(super) use loaders::last_layer;
pub(super) use steps::Schedule;
pub(super) use workflow::is_too_large;

use crate::foreign::{Foreign, Tool, plain};
use flow::Flow;
use graph::{Graph, Node, Output, Wire};
use loaders::Loaders;
use maquette_core::Value;
use nodes::Kind;
use prompts::Prompts;
use serde_json::Value as Json;

/// Nodes that denoise latents.
const SAMPLERS: &[&str] = &["KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"];

/// Nodes with the size of latents.
const EMPTY_LATENTS: &[&str] = &["EmptyLatentImage", "EmptySD3LatentImage", "EmptyFlux2LatentImage"];

/// Reads the graph; `None` if the JSON is not a graph.
pub(super) fn read(json: &Json) -> Option<Foreign> {
    // Some nodes and sites write both graphs into one text.
    let graph = Graph::of(json).or_else(|| Graph::of(json.get("prompt")?))?;
    let mut out = Foreign::new(Tool::ComfyUI);
    read_graph(&graph, &mut out);
    out.set("noise", "noise", "torch-cpu");
    Some(out.sorted())
}

/// Reads the editor's graph; `None` if the JSON is not one.
pub(super) fn read_workflow(json: &Json) -> Option<Foreign> {
    let mut out = read(&workflow::as_prompt(json)?)?;
    for name in ["prompt", "negative_prompt"] {
        let text = out.get(name).and_then(Value::as_text).unwrap_or_default();
        if text.contains('{') && text.contains('|') {
            out.note(format!(
                "{name} has choices in braces: ComfyUI drew one of them, the editor's graph keeps all"
            ));
        }
    }
    Some(out)
}

fn read_graph(graph: &Graph<'_>, out: &mut Foreign) {
    let mut prompts = Prompts::new(graph);
    let mut vae = None;
    match sampler(graph, out, &mut vae) {
        Some((sampler, others)) => {
            if others > 0 {
                let plural = if others == 1 { "" } else { "s" };
                let left = format!("{others} other sampler{plural} in the graph");
                out.left("KSampler", left, "Maquette makes a picture in one pass");
            }
            let loaders = read_sampler(graph, out, sampler, &mut prompts);
            if let Some(node) = vae {
                loaders::part(out, &loaders, node, "autoencoder");
            }
        }
        None => out.note("the graph has no sampler that Maquette supports"),
    }
    prompts.finish(out);
    for node in graph.all() {
        let is_read = Kind::of(node.class).is_some_and(|kind| kind.is_read);
        if !is_read && !out.left.iter().any(|left| left.key == node.class) {
            out.left(node.class, node.values(), "Maquette has no such node");
        }
    }
}

/// The first sampler on the way to the saved picture, and how many others there are; and the autoencoder on the way.
fn sampler<'a>(
    graph: &Graph<'a>,
    out: &mut Foreign,
    loads_vae: &mut Option<Node<'a>>,
) -> Option<(Node<'a>, usize)> {
    let all = graph.all();
    let samplers: Vec<Node> = all.iter().copied().filter(|node| SAMPLERS.contains(&node.class)).collect();
    let saves: Vec<(Node, &str)> = all
        .iter()
        .filter(|node| node.class.contains("Save"))
        .filter_map(|node| {
            ["images", "image"].iter().find(|i| graph.link(*node, i).is_some()).map(|i| (*node, *i))
        })
        .collect();
    if saves.len() > 1 {
        out.note(format!("the graph saves {} pictures: this is read as the first of them", saves.len()));
    }
    let mut found = None;
    if let Some((save, input)) = saves.first() {
        let path = graph.path(out, *save, input, Wire::Picture);
        *loads_vae = vae(graph, out, &path);
        found = path.last().map(|output| output.node).filter(|node| SAMPLERS.contains(&node.class));
        if found.is_none()
            && let Some(nearest) = graph.upstream(*save, SAMPLERS)
        {
            out.note("the saved picture could not be followed to its sampler: the nearest one was read");
            found = Some(nearest);
        }
    }
    // A second pass starts from the latents of the first pass, which has the size and the noise.
    for _ in 0..samplers.len() {
        let earlier = found.and_then(|node| graph.path(out, node, "latent_image", Wire::Picture).pop());
        match earlier.filter(|output| SAMPLERS.contains(&output.node.class)) {
            Some(earlier) => found = Some(earlier.node),
            None => break,
        }
    }
    let first = found.or_else(|| {
        let only = samplers.first().copied()?;
        if samplers.len() > 1 {
            out.note("no picture is saved: the first sampler of the graph was read");
        }
        Some(only)
    })?;
    Some((first, samplers.len().saturating_sub(1)))
}

/// Sets the autoencoder that decodes the picture if it is a file of its own. Gives the node that loads it.
fn vae<'a>(graph: &Graph<'a>, out: &mut Foreign, picture: &[Output<'a>]) -> Option<Node<'a>> {
    let decoder = picture.iter().find(|output| output.node.class.starts_with("VAEDecode"))?;
    let Output { node, .. } = graph.path(out, decoder.node, "vae", Wire::Vae).pop()?;
    if node.class == "VAELoader" {
        graph.set(out, "vae", node, "vae_name");
        return None;
    }
    Some(node)
}

fn read_sampler<'a>(
    graph: &Graph<'a>,
    out: &mut Foreign,
    node: Node<'a>,
    prompts: &mut Prompts<'_, 'a>,
) -> Loaders<'a> {
    let part = |input| graph.source(node, input).map_or(node, |output| output.node);
    let (noise, guider, sampler) = (part("noise"), part("guider"), part("sampler"));
    seed(graph, out, noise);
    let from_picture = latents(graph, out, node);
    let positive = if guider.class == "BasicGuider" { "conditioning" } else { "positive" };
    let flow = Flow::of(graph, node, guider);
    if flow.is_none() || !flow::guidance(graph, out, guider, positive) {
        guidance(graph, out, guider);
    }
    let has_shift = flow.is_some() && flow::shift(graph, out, guider);
    if flow == Some(Flow::Flux2) && !has_shift && sigmas::class(graph, node) != "Flux2Scheduler" {
        out.note(
            "without a shift, ComfyUI takes one of its own for FLUX.2, Maquette that of the picture's size",
        );
    }
    sigmas::read(graph, out, node, sampler, from_picture, flow);
    let known = [SAMPLERS, &["CFGGuider", "BasicGuider"]].concat().contains(&guider.class);
    if known {
        prompts.set(out, "prompt", guider, positive);
        let positives = prompts.encoders.clone();
        if guider.class != "BasicGuider" {
            prompts.set(out, "negative_prompt", guider, "negative");
        }
        let loaders = loaders::model(graph, out, guider);
        loaders::clip(graph, out, &positives, &prompts.encoders[positives.len()..], &loaders);
        loaders::sizes(graph, out, &positives);
        loaders
    } else {
        out.left(
            guider.class,
            guider.values(),
            "Maquette does not know this guider: its prompts were not read",
        );
        loaders::model(graph, out, guider)
    }
}

fn seed<'a>(graph: &Graph<'a>, out: &mut Foreign, noise: Node<'a>) {
    let adds_none =
        noise.input("add_noise").is_some_and(|value| matches!(plain(value).as_str(), "disable" | "false"));
    if noise.class == "DisableNoise" || adds_none {
        out.left(noise.class, "", "Maquette always starts from noise");
    }
    match ["seed", "noise_seed"].iter().find(|name| noise.input(name).is_some()) {
        Some(name) => graph.set(out, "seed", noise, name),
        None => out.note("the graph names no seed that Maquette can follow"),
    }
}

fn guidance<'a>(graph: &Graph<'a>, out: &mut Foreign, guider: Node<'a>) {
    if guider.class == "BasicGuider" {
        out.set("guidance_scale", "BasicGuider", 1.0);
    } else if guider.input("cfg").is_some() {
        graph.set(out, "guidance_scale", guider, "cfg");
    }
}

/// Size and picture to start from. Whether there is one.
fn latents<'a>(graph: &Graph<'a>, out: &mut Foreign, sampler: Node<'a>) -> bool {
    let path = graph.path(out, sampler, "latent_image", Wire::Picture);
    for output in &path {
        let node = output.node;
        if matches!(node.class, "SetLatentNoiseMask" | "VAEEncodeForInpaint" | "InpaintModelConditioning") {
            out.note(format!("{} repaints inside a mask: set `mask`", node.class));
        }
        // The nearest of several decides.
        if node.class == "ImageScale" && out.get("width").is_none() {
            for (edge, setting) in [("width", "width"), ("height", "height")] {
                graph.set(out, setting, node, edge);
            }
        }
        let input = match node.class {
            "RepeatLatentBatch" => Some("amount"),
            class => EMPTY_LATENTS.contains(&class).then_some("batch_size"),
        };
        if let Some(input) = input {
            let count = graph.value(node, input).and_then(Json::as_i64);
            if let Some(count) = count.filter(|count| *count > 1) {
                let why = "only the first picture of a batch has the noise of its seed";
                out.left(node.key(input), count.to_string(), why);
            }
        }
    }
    let Some(Output { node, .. }) = path.last().copied() else {
        out.note("the graph's latents come from no node: set `width` and `height`");
        return false;
    };
    if EMPTY_LATENTS.contains(&node.class) {
        for edge in ["width", "height"] {
            graph.set(out, if edge == "width" { "width" } else { "height" }, node, edge);
        }
        return false;
    }
    if node.class == "LoadImage" {
        graph.set(out, "init_image", node, "image");
    } else if !SAMPLERS.contains(&node.class) {
        out.left(
            node.class,
            node.values(),
            "the picture to start from comes from this node, which Maquette does not know",
        );
    }
    true
}
