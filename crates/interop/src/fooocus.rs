//! Fooocus's text: JSON under the keyword that A1111 uses, or in the EXIF comment. It renders with ComfyUI's code.
//!
//! After `modules/meta_parser.py` and `modules/async_worker.py` of lllyasviel/Fooocus. Its other scheme, `a1111`, is read as
//! A1111's text.

use super::comfyui::Converter;
use super::foreign::{Foreign, NO_SETTING, Tool, is_neutral, plain};
use super::sampling;
use serde_json::{Map, Value as Json};

/// The keys of versions before 2.2, which wrote the labels of their log, and of a fork, and today's.
const LABELS: &[(&str, &str)] = &[
    ("cfg", "guidance_scale"),
    ("cfg_mimicking_from_tsnr", "adaptive_cfg"),
    ("fooocus_v2_expansion", "prompt_expansion"),
    ("real_negative_prompt", "full_negative_prompt"),
    ("real_prompt", "full_prompt"),
];

/// Reads the JSON; `None` if it is not Fooocus's.
pub(super) fn read(json: &Json) -> Option<Foreign> {
    let given: Map<String, Json> =
        json.as_object()?.iter().map(|(key, value)| (name(key), value.clone())).collect();
    let known = ["base_model", "performance", "adm_guidance", "sharpness", "styles"];
    if !given.contains_key("prompt") || known.iter().filter(|key| given.contains_key(**key)).count() < 2 {
        return None;
    }
    let mut out = Foreign::new(Tool::Fooocus);
    prompts(&mut out, &given);
    let text = |key: &str| given.get(key).map(plain);
    let (sampler, schedule) = (text("sampler"), text("scheduler").unwrap_or_else(|| "normal".to_owned()));
    if let Some(sampler) = &sampler {
        sampling::comfy(&mut out, ("sampler", sampler), ("scheduler", &schedule));
    }
    loras(&mut out, &given);
    for (key, value) in &given {
        let value_text = plain(value);
        match key.as_str() {
            "prompt" | "negative_prompt" | "full_prompt" | "full_negative_prompt" | "loras" | "sampler" => {}
            "scheduler" if sampler.is_some() => {}
            key if key.starts_with("lora_combined_") => {}
            "base_model" => out.set("model", key, value_text.as_str()),
            "vae" if value_text.starts_with("Default") => out.fact(key, value_text),
            "vae" => out.set("vae", key, value_text.as_str()),
            "seed" | "steps" => out.set_json(if key == "seed" { "seed" } else { "steps" }, key, value),
            "guidance_scale" => out.set_json("guidance_scale", key, value),
            "width" => out.set_json("width", key, value),
            "height" => out.set_json("height", key, value),
            "resolution" => size(&mut out, &value_text),
            // It counts as A1111 does: 1 is the last layer.
            "clip_skip" => match value_text.parse::<i64>() {
                Ok(layers @ 1..) => out.set("clip_skip", key, layers - 1),
                _ => out.left(key, value_text, "allowed: a whole number from 1"),
            },
            "performance" if matches!(value_text.as_str(), "Speed" | "Quality") => out.fact(key, value_text),
            "styles" if given.contains_key("full_prompt") => out.fact(key, value_text),
            "styles" => out.left(key, value_text, "the text does not have the words that the styles added"),
            "refiner_model" | "refiner_switch" if text("refiner_model").is_none_or(|name| name == "None") => {
                out.fact(key, value_text);
            }
            "base_model_hash" | "refiner_model_hash" | "metadata_scheme" | "version" | "created_by"
            | "prompt_expansion" => out.fact(key, value_text),
            "sharpness" => out.left(key, value_text, "Fooocus sharpens what the model predicts"),
            "adm_guidance" => out.left(key, value_text, "Fooocus changes the sizes that SDXL is told"),
            _ if is_neutral(value) => out.fact(key, value_text),
            _ => out.left(key, value_text, NO_SETTING),
        }
    }
    out.set("noise", "noise", "torch-cpu");
    Some(out.sorted())
}

fn name(key: &str) -> String {
    let key = key.to_lowercase().replace(' ', "_");
    match key.strip_prefix("lora_").filter(|number| number.parse::<u32>().is_ok()) {
        Some(number) => format!("lora_combined_{number}"),
        None => LABELS.iter().find(|(label, _)| *label == key).map_or(key, |(_, name)| (*name).to_owned()),
    }
}

/// Fooocus encodes each text of `full_prompt` on its own and joins the embeddings, as `BREAK` does; `prompt` is what the user
/// wrote.
fn prompts(out: &mut Foreign, given: &Map<String, Json>) {
    let mut converter = Converter::default();
    for (setting, full) in [("prompt", "full_prompt"), ("negative_prompt", "full_negative_prompt")] {
        let written = given.get(setting).map(plain).unwrap_or_default();
        let texts: Vec<String> = match given.get(full).and_then(Json::as_array) {
            Some(texts) => texts.iter().map(plain).collect(),
            None => vec![written.clone()],
        };
        if texts.iter().all(|text| *text != written) || texts.len() > 1 {
            out.fact(setting, written);
        }
        let converted: Vec<String> = texts.iter().map(|text| converter.convert(out, setting, text)).collect();
        out.set(setting, full, converted.join(" BREAK ").as_str());
    }
    converter.finish(out);
}

/// `(1152, 896)`.
fn size(out: &mut Foreign, text: &str) {
    let edges: Vec<&str> =
        text.trim_matches(['(', ')', '[', ']']).split([',', '×', 'x']).map(str::trim).collect();
    match edges.as_slice() {
        [width, height] => {
            out.set_number("width", "resolution", width);
            out.set_number("height", "resolution", height);
        }
        _ => out.left("resolution", text, "allowed: (WIDTH, HEIGHT)"),
    }
}

/// `lora_combined_1`, `…_2`: `name : weight`, since version 2.5 also `enabled : name : weight`.
fn loras(out: &mut Foreign, given: &Map<String, Json>) {
    let mut named = Vec::new();
    for (key, value) in given.iter().filter(|(key, _)| key.starts_with("lora_combined_")) {
        let text = plain(value);
        match text.split(" : ").collect::<Vec<_>>().as_slice() {
            ["None", _] | ["False", ..] => out.fact(key, text),
            [name, weight] | ["True", name, weight] => {
                named.push(format!("{}:{}", name.trim(), weight.trim()));
            }
            _ => out.left(key, text, "allowed: name : weight"),
        }
    }
    if !named.is_empty() {
        out.set("lora", "lora_combined", named.join(" + ").as_str());
    }
}
