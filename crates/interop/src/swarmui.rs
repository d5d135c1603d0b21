//! SwarmUI's text: JSON under the keyword that A1111 uses. It renders with ComfyUI and uses ComfyUI's terms.
//!
//! After `docs/Image Metadata Format.md` and `src/Text2Image/T2IParamTypes.cs` of mcmonkeyprojects/SwarmUI.

use super::foreign::{Foreign, NO_SETTING, Tool, is_neutral, plain};
use super::{comfyui, sampling};
use serde_json::Value as Json;

/// Reads the JSON; `None` if it is not SwarmUI's.
pub(super) fn read(json: &Json) -> Option<Foreign> {
    let given = json.get("sui_image_params")?.as_object()?;
    let mut out = Foreign::new(Tool::SwarmUI);
    let text = |name: &str| given.get(name).map(plain);
    let sampler = text("sampler").unwrap_or_else(|| "euler".to_owned());
    let schedule = text("scheduler").unwrap_or_else(|| "normal".to_owned());
    if !given.contains_key("sampler") || !given.contains_key("scheduler") {
        out.note(
            "the text does not name both sampler and scheduler; SwarmUI's defaults are euler and normal",
        );
    }
    sampling::comfy(&mut out, ("sampler", &sampler), ("scheduler", &schedule));
    for (key, value) in given {
        match key.as_str() {
            "sampler" | "scheduler" | "loraweights" | "automaticvae" => {}
            "prompt" => out.set_json("prompt", key, value),
            "negativeprompt" => out.set_json("negative_prompt", key, value),
            "model" => out.set_json("model", key, value),
            "seed" => out.set_json("seed", key, value),
            "steps" => out.set_json("steps", key, value),
            "fluxguidancescale" => out.set_json("guidance_scale", key, value),
            "cfgscale" if given.contains_key("fluxguidancescale") => match value.as_f64() {
                Some(1.0) => out.fact(key, plain(value)),
                _ => out.set_json("true_cfg_scale", key, value),
            },
            "cfgscale" => out.set_json("guidance_scale", key, value),
            "width" => out.set_json("width", key, value),
            "height" => out.set_json("height", key, value),
            "variationseed" => out.set_json("variation_seed", key, value),
            "variationseedstrength" => out.set_json("variation_strength", key, value),
            "clipstopatlayer" => comfyui::last_layer(&mut out, key, value),
            "vae" if matches!(plain(value).as_str(), "Automatic" | "None" | "") => {
                out.fact(key, plain(value));
            }
            "vae" => out.set_json("vae", key, value),
            "loras" => loras(&mut out, value, given.get("loraweights")),
            "initimagecreativity" => {
                strength(&mut out, key, value, given.get("steps"));
                out.note("it was made from another picture, which the text does not name: set `init_image`");
            }
            "images" | "swarm_version" | "aspectratio" | "date" => out.fact(key, plain(value)),
            _ if is_neutral(value) => out.fact(key, plain(value)),
            _ => out.left(key, plain(value), NO_SETTING),
        }
    }
    for part in ["sui_extra_data", "sui_models"] {
        if let Some(value) = json.get(part) {
            out.fact(part, plain(value));
        }
    }
    out.set("noise", "noise", "torch-cpu");
    comfyui::convert_prompts(&mut out);
    Some(out.sorted())
}

/// SwarmUI starts at the step `floor(steps × (1 − creativity))` and does the rest.
fn strength(out: &mut Foreign, key: &str, creativity: &Json, steps: Option<&Json>) {
    let (Some(creativity), Some(steps)) = (creativity.as_f64(), steps.and_then(Json::as_i64)) else {
        return out.set_json("strength", key, creativity);
    };
    let done = steps - (steps as f64 * (1.0 - creativity)).floor() as i64;
    match (comfyui::Schedule { steps, done, denoise: Some(creativity) })
        .strength(maquette_core::Scheduler::Euler)
    {
        Some(strength) => out.set("strength", key, strength),
        None => out.left(key, creativity.to_string(), "Maquette has no strength that leaves these steps"),
    }
}

/// Reads names from one list and weights from another; both may be a list or a text with commas.
fn loras(out: &mut Foreign, names: &Json, weights: Option<&Json>) {
    let list = |json: &Json| match json {
        Json::Array(list) => list.iter().map(plain).collect::<Vec<_>>(),
        json => plain(json).split(',').map(|part| part.trim().to_owned()).collect(),
    };
    let weights = weights.map(list).unwrap_or_default();
    let names = list(names).into_iter().filter(|name| !name.is_empty()).enumerate();
    let named = names.map(|(at, name)| match weights.get(at) {
        Some(weight) => format!("{name}:{weight}"),
        None => name,
    });
    let named: Vec<String> = named.collect();
    if !named.is_empty() {
        out.set("lora", "loras", named.join(" + ").as_str());
    }
}
