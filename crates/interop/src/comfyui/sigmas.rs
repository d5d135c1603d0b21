//! ComfyUI's samplers and the noise levels that they are given: scheduler, sigmas, steps and strength.

use super::flow::{Flow, size_of_steps};
use super::graph::{Graph, Node, Output};
use super::steps::{Schedule, schedule};
use crate::foreign::{Foreign, number, plain};
use crate::sampling;
use maquette_core::Scheduler;
use serde_json::Value as Json;

/// Nodes that make `steps` noise levels, or the last `steps` of a schedule of `steps / denoise`.
const SIGMAS: &[&str] =
    &["KSampler", "KSamplerAdvanced", "BasicScheduler", "KarrasScheduler", "ExponentialScheduler"];

/// The class of the node that makes a sampler's noise levels.
pub fn class<'a>(graph: &Graph<'a>, node: Node<'a>) -> &'a str {
    graph.source(node, "sigmas").map_or(node, |output| split(graph, output).0).class
}

/// Scheduler, sigmas, steps and strength; `flow` for a model that predicts flow.
pub fn read<'a>(
    graph: &Graph<'a>,
    out: &mut Foreign,
    node: Node<'a>,
    sampler: Node<'a>,
    from_picture: bool,
    flow: Option<Flow>,
) {
    let sigmas = graph.source(node, "sigmas");
    let (sigmas, splits) = match sigmas {
        Some(output) => split(graph, output),
        None => (node, Vec::new()),
    };
    let schedule_name = match sigmas.class {
        "KarrasScheduler" => Some(("scheduler", "karras")),
        "ExponentialScheduler" => Some(("scheduler", "exponential")),
        "Flux2Scheduler" => Some(("steps", "Flux2Scheduler")),
        _ => graph.value(sigmas, "scheduler").and_then(Json::as_str).map(|name| ("scheduler", name)),
    };
    match graph.value(sampler, "sampler_name").and_then(Json::as_str) {
        Some(name) => {
            let (input, schedule) = schedule_name.unwrap_or(("sigmas", sigmas.class));
            let key = sampler.key("sampler_name");
            let schedule = (&*sigmas.key(input), schedule);
            match flow {
                Some(flow) => sampling::comfy_flow(out, (&key, name), schedule, flow.own_schedule()),
                None => sampling::comfy(out, (&key, name), schedule),
            }
        }
        None => out.left(sampler.class, sampler.values(), "Maquette does not know this sampler"),
    }
    if sigmas.class == "Flux2Scheduler" {
        size_of_steps(graph, out, sigmas);
    }
    // The levels of Stable Diffusion's schedule, which are the nodes' defaults.
    for (input, usual) in [("sigma_max", 14.614_642), ("sigma_min", 0.029_167_5), ("rho", 7.0)] {
        let value = graph.value(sigmas, input).and_then(Json::as_f64);
        if let Some(value) = value.filter(|value| (value - usual).abs() > 1e-3 * usual) {
            out.left(sigmas.key(input), value.to_string(), "Maquette takes the model's own levels");
        }
    }
    let Some(steps) = graph.value(sigmas, "steps").and_then(Json::as_i64) else {
        if sigmas.input("steps").is_some() {
            graph.set(out, "steps", sigmas, "steps");
        }
        return;
    };
    let denoise =
        graph.value(sigmas, "denoise").and_then(|json| number(&plain(json))).and_then(|n| n.as_number());
    if graph.value(sigmas, "denoise").is_some() && denoise.is_none() {
        graph.set(out, "strength", sigmas, "denoise");
    }
    if denoise.is_some_and(|denoise| denoise < 1.0) && !SIGMAS.contains(&sigmas.class) {
        return out.left(
            sigmas.class,
            sigmas.values(),
            "Maquette does not know which steps this node leaves",
        );
    }
    let Some(mut schedule) = schedule(steps, denoise.unwrap_or(1.0)) else {
        return out.left(sigmas.key("denoise"), denoise.unwrap_or(1.0).to_string(), "it leaves no step");
    };
    for (node, number) in splits {
        skip_steps(graph, out, &mut schedule, node, number);
    }
    if node.class == "KSamplerAdvanced" {
        start_and_end(graph, out, &mut schedule, node);
    }
    let by_simple = schedule_name.is_some_and(|(_, name)| name == "simple");
    if flow.is_some() && by_simple && 1000 % schedule.steps != 0 {
        out.note(
            "ComfyUI's `simple` rounds each noise level to one of those of the training, Maquette does not",
        );
    }
    let scheduler = if flow.is_some() { Scheduler::FlowEuler } else { Scheduler::Euler };
    set_steps(out, &sigmas.key("steps"), schedule, from_picture, scheduler);
}

/// The node that makes sigmas, and the splits on the way with their outputs, the first split first.
fn split<'a>(graph: &Graph<'a>, mut sigmas: Output<'a>) -> (Node<'a>, Vec<(Node<'a>, u64)>) {
    let mut splits = Vec::new();
    while sigmas.node.class.starts_with("SplitSigmas") && splits.len() < 64 {
        splits.insert(0, (sigmas.node, sigmas.number));
        match graph.source(sigmas.node, "sigmas") {
            Some(next) => sigmas = next,
            None => break,
        }
    }
    (sigmas.node, splits)
}

/// `SplitSigmas` and `SplitSigmasDenoise`: the second output has the last steps.
fn skip_steps<'a>(
    graph: &Graph<'a>,
    out: &mut Foreign,
    schedule: &mut Schedule,
    node: Node<'a>,
    number: u64,
) {
    let kept = match node.class {
        "SplitSigmas" => graph.value(node, "step").and_then(Json::as_i64).map(|step| schedule.done - step),
        // Python's `round` takes the even one of two neighbours.
        _ => graph
            .value(node, "denoise")
            .and_then(Json::as_f64)
            .map(|denoise| (schedule.done as f64 * denoise).round_ties_even() as i64),
    };
    match kept {
        Some(kept) if number == 1 && (0..=schedule.done).contains(&kept) => {
            (schedule.done, schedule.denoise) = (kept, None);
        }
        _ => out.left(node.class, node.values(), "Maquette does the last steps of a schedule only"),
    }
}

/// `KSamplerAdvanced` can start late, which is what `strength` says, and stop early, which Maquette cannot.
fn start_and_end<'a>(graph: &Graph<'a>, out: &mut Foreign, schedule: &mut Schedule, node: Node<'a>) {
    let value = |input| graph.value(node, input).and_then(Json::as_i64);
    if let Some(start) = value("start_at_step").filter(|start| (1..=schedule.steps).contains(start)) {
        (schedule.done, schedule.denoise) = (schedule.steps - start, None);
    }
    if let Some(end) = value("end_at_step").filter(|end| *end < schedule.steps) {
        out.left(node.key("end_at_step"), end.to_string(), "Maquette makes a picture in one pass");
    }
}

fn set_steps(out: &mut Foreign, key: &str, schedule: Schedule, from_picture: bool, scheduler: Scheduler) {
    let Schedule { steps, done, denoise } = schedule;
    out.set("steps", key, steps);
    if !from_picture && done == steps {
        return;
    }
    match schedule.strength(scheduler) {
        Some(strength) => out.set("strength", key, strength),
        None => out.left(key, done.to_string(), "Maquette has no strength that leaves these steps"),
    }
    if !from_picture {
        let left = format!("the last {done} of {steps}");
        out.left(key, left, "without a picture to start from, Maquette does all steps");
    } else if done < steps {
        out.note(match denoise {
            Some(denoise) => format!(
                "ComfyUI does all {done} steps at denoise {denoise}, diffusers the last steps of a longer schedule"
            ),
            None => format!("ComfyUI does the last {done} of {steps} steps"),
        });
    }
}
