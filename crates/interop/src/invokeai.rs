//! InvokeAI's texts: `invokeai_metadata` since version 3, `sd-metadata` and `Dream` before.
//!
//! It renders with diffusers, so most of its terms are the same as Maquette's. After
//! `invokeai/app/invocations/metadata.py` and, for the old formats, `ldm/invoke/args.py` of invoke-ai/InvokeAI.

use super::foreign::{Foreign, NO_SETTING, Tool, is_neutral, plain};
use super::sampling;
use serde_json::Value as Json;

/// Reads `invokeai_metadata`; `None` if the JSON is not an object.
pub(super) fn read(json: &Json) -> Option<Foreign> {
    let given = json.as_object()?;
    let mut out = Foreign::new(Tool::InvokeAI);
    let from_picture = given.get("init_image").is_some_and(|picture| !picture.is_null());
    for (key, value) in given.iter().filter(|(_, value)| !is_unset(value)) {
        match key.as_str() {
            "positive_prompt" => out.set_json("prompt", key, value),
            "negative_prompt" => out.set_json("negative_prompt", key, value),
            "model" => match name_of(value) {
                Some(name) => out.set("model", key, name),
                None => out.left(key, plain(value), "it has no name"),
            },
            "vae" => match name_of(value) {
                Some(name) => out.set("vae", key, name),
                None => out.left(key, plain(value), "it has no name"),
            },
            "seed" => out.set_json("seed", key, value),
            "steps" => out.set_json("steps", key, value),
            "cfg_scale" => out.set_json("guidance_scale", key, value),
            "width" => out.set_json("width", key, value),
            "height" => out.set_json("height", key, value),
            "clip_skip" | "clipSkip" => out.set_json("clip_skip", "clip_skip", value),
            "scheduler" => sampling::invoke(&mut out, key, &plain(value)),
            "rand_device" => match plain(value).as_str() {
                "cpu" => out.set("noise", key, "torch-cpu"),
                "cuda" => out.set("noise", key, "torch-cuda"),
                other => out.left(key, other, "allowed: cpu, cuda"),
            },
            "strength" if !from_picture => out.fact(key, plain(value)),
            "strength" => out.set_json("strength", key, value),
            "init_image" => out.set_json("init_image", key, value),
            "loras" => loras(&mut out, value),
            "cfg_rescale_multiplier" => out.set_json("guidance_rescale", key, value),
            "positive_style_prompt" => style_prompt(&mut out, key, value, given.get("positive_prompt")),
            "negative_style_prompt" => style_prompt(&mut out, key, value, given.get("negative_prompt")),
            "app_version" | "generation_mode" | "created_by" => out.fact(key, plain(value)),
            "hrf_method" | "hrf_strength" if !is_on(given, "hrf_enabled") => out.fact(key, plain(value)),
            _ if is_neutral(value) => out.fact(key, plain(value)),
            _ => out.left(key, plain(value), NO_SETTING),
        }
    }
    set_dialect(&mut out);
    Some(out.sorted())
}

/// The text for SDXL's second encoder: the same as the prompt if it is empty or repeats it.
fn style_prompt(out: &mut Foreign, key: &str, style: &Json, prompt: Option<&Json>) {
    match is_neutral(style) || Some(style) == prompt {
        true => out.fact(key, plain(style)),
        false => out.left(key, plain(style), "Maquette gives both text encoders the same prompt"),
    }
}

fn is_on(given: &serde_json::Map<String, Json>, key: &str) -> bool {
    given.get(key).is_some_and(|value| !is_neutral(value))
}

/// Reads `sd-metadata`; `None` if the JSON does not describe a picture.
pub(super) fn read_old(json: &Json) -> Option<Foreign> {
    let picture = json.get("image")?.as_object()?;
    let mut out = Foreign::new(Tool::InvokeAI);
    if let Some(model) = json.get("model_weights") {
        out.set_json("model", "model_weights", model);
    }
    for (key, value) in picture.iter().filter(|(_, value)| !is_unset(value)) {
        match key.as_str() {
            "prompt" => set_prompt(&mut out, &old_prompt(value)),
            "seed" | "steps" | "width" | "height" | "strength" => {
                out.set_json(SAME.iter().find(|name| *name == key).copied().unwrap_or("seed"), key, value);
            }
            "cfg_scale" => out.set_json("guidance_scale", key, value),
            "sampler" => sampling::invoke(&mut out, key, &plain(value)),
            "init_image_path" => out.set_json("init_image", key, value),
            "type" | "model_hash" | "orig_hash" => out.fact(key, plain(value)),
            "threshold" | "perlin" if value.as_f64() == Some(0.0) => out.fact(key, plain(value)),
            _ => out.left(key, plain(value), NO_SETTING),
        }
    }
    for key in ["model", "model_hash", "app_id", "app_version"] {
        if let Some(value) = json.get(key) {
            out.fact(key, plain(value));
        }
    }
    out.set("noise", "noise", "torch-cpu");
    out.note("the text does not name the device that drew the noise: the CPU is assumed");
    set_dialect(&mut out);
    Some(out.sorted())
}

/// Reads `Dream`: a quoted prompt, followed by one-letter switches.
pub(super) fn read_dream(text: &str) -> Option<Foreign> {
    let inside = text.trim().strip_prefix('"')?;
    let end = inside.rfind('"')?;
    let mut out = Foreign::new(Tool::InvokeAI);
    set_prompt(&mut out, &inside[..end]);
    let mut words = inside[end + 1..].split_whitespace().peekable();
    while let Some(switch) = words.next() {
        // `-s 50`, or `-s50`.
        let (switch, value) = match switch.char_indices().nth(2) {
            Some((at, _)) if !switch.starts_with("--") => (&switch[..at], &switch[at..]),
            _ => (switch, words.next_if(|word| !word.starts_with('-')).unwrap_or_default()),
        };
        match switch {
            "-s" => out.set_number("steps", switch, value),
            "-S" => out.set_number("seed", switch, value),
            "-W" => out.set_number("width", switch, value),
            "-H" => out.set_number("height", switch, value),
            "-C" => out.set_number("guidance_scale", switch, value),
            "-f" => out.set_number("strength", switch, value),
            "-A" => sampling::invoke(&mut out, switch, value),
            "-I" => out.set("init_image", switch, value),
            _ => out.left(switch, value, NO_SETTING),
        }
    }
    out.set("noise", "noise", "torch-cpu");
    out.note("the text does not name the device that drew the noise: the CPU is assumed");
    set_dialect(&mut out);
    Some(out.sorted())
}

/// The settings with the same name in the old JSON.
const SAME: &[&str] = &["seed", "steps", "width", "height", "strength"];

/// Text, or a list of `{prompt, weight}`, of which only the first is used.
fn old_prompt(value: &Json) -> String {
    match value {
        Json::Array(parts) => {
            parts.first().and_then(|part| part.get("prompt")).map_or_else(String::new, plain)
        }
        value => plain(value),
    }
}

/// Old versions wrote the negative prompt into the prompt, in square brackets.
fn set_prompt(out: &mut Foreign, text: &str) {
    let (mut prompt, mut negative) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, (inside, after))) =
        rest.split_once('[').and_then(|(before, tail)| Some((before, tail.split_once(']')?)))
    {
        prompt.push_str(before);
        negative.push(inside.trim());
        rest = after;
    }
    prompt.push_str(rest);
    out.set("prompt", "prompt", prompt.trim());
    out.set("negative_prompt", "prompt", negative.join(" ").as_str());
}

/// The name of a model: `{name}`, `{model_name}`, or one of these within `{model}`; in older versions, text.
fn name_of(json: &Json) -> Option<&str> {
    let named = |json: &Json| ["name", "model_name"].iter().any(|key| json.get(*key).is_some());
    let inner =
        if named(json) { json } else { json.get("model").or_else(|| json.get("lora")).unwrap_or(json) };
    let name = inner.get("name").or_else(|| inner.get("model_name")).unwrap_or(inner);
    name.as_str()
}

fn loras(out: &mut Foreign, value: &Json) {
    let mut named = Vec::new();
    for lora in value.as_array().into_iter().flatten() {
        match (name_of(lora), lora.get("weight")) {
            (Some(name), Some(weight)) => named.push(format!("{name}:{}", plain(weight))),
            (Some(name), None) => named.push(name.to_owned()),
            (None, _) => out.left("loras", plain(lora), "it has no name"),
        }
    }
    if !named.is_empty() {
        out.set("lora", "loras", named.join(" + ").as_str());
    }
}

fn set_dialect(out: &mut Foreign) {
    let has_weights = |text: &str| text.contains(['(', '+']) || text.contains("--") || text.contains(").");
    if ["prompt", "negative_prompt"].iter().filter_map(|name| out.get(name)?.as_text()).any(has_weights) {
        out.note(
            "InvokeAI weights words in compel's syntax, with + and -; Maquette reads them as plain text",
        );
    }
    out.set("dialect", "dialect", "plain");
}

fn is_unset(value: &Json) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}
