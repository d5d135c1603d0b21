//! Reads A1111's `parameters` text: what its keys mean. `a1111_line.rs` finds them, `a1111_text.rs` writes them.
//!
//! After `modules/infotext_utils.py` and `create_infotext` of AUTOMATIC1111/stable-diffusion-webui.

use super::a1111_line::{Parts, parts};
use super::foreign::{Foreign, NO_SETTING, Tool, number};
use super::{civitai, sampling};

/// Values that change nothing.
const NEUTRAL: &[(&str, &str)] = &[
    ("Downcast alphas_cumprod", "False"),
    ("ENSD", "0"),
    ("Emphasis", "Original"),
    ("FP8 weight", "Disable"),
    ("Face restoration", "False"),
    ("Hires checkpoint", "Use same checkpoint"),
    ("Hires negative prompt", ""),
    ("Hires prompt", ""),
    ("Hires sampler", "Use same sampler"),
    ("NGMS", "0"),
    ("Pad conds", "False"),
    ("Schedule max sigma", "0"),
    ("Schedule min sigma", "0"),
    ("Schedule rho", "0"),
    ("Sigma churn", "0"),
    ("Sigma noise", "1"),
    ("Sigma tmin", "0"),
    ("Tiling", "False"),
    ("Token merging ratio", "0"),
    ("VAE", "Automatic"),
    ("VAE", "Default (model)"),
    ("VAE", "None"),
    ("VAE Decoder", "Full"),
    ("VAE Encoder", "Full"),
];

/// What other tools write beside the settings, without an effect of its own.
const FACTS: &[&str] = &[
    "Civitai metadata",
    "Created Date",
    "Hashes",
    "Init image hash",
    "Lora hashes",
    "Model hash",
    "Negative Template",
    "Refiner hash",
    "Template",
    "User",
    "VAE hash",
    "Version",
];

/// Keys of Fooocus that repeat others: the words of the user, and the steps under a name.
const FOOOCUS_FACTS: &[&str] = &["Performance", "Raw negative prompt", "Raw prompt", "Scheduler", "Styles"];

/// Reads the text; everything in it becomes a setting, is left, or becomes a fact.
pub(super) fn read(text: &str) -> Foreign {
    let Parts { prompt, negative_prompt, pairs, strays } = parts(text);
    let mut out = Foreign::new(Tool::A1111);
    out.set("prompt", "prompt", prompt.as_str());
    out.set("negative_prompt", "Negative prompt", negative_prompt.as_str());
    if pairs.is_empty() {
        out.note("there is no settings line, so the whole text was read as the prompt");
        return out;
    }
    let find = |key: &str| pairs.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    // Maquette's own text uses A1111's keys, but its prompts are in diffusers' dialect.
    let own = find("Version").is_some_and(|version| version.starts_with("maquette "));
    if !own {
        out.set("dialect", "dialect", "a1111");
    }
    let second_pass = |(key, value): &(String, String)| {
        key == "First pass size" || key.starts_with("Hires ") && !NEUTRAL.contains(&(key, value))
    };
    let hires = pairs.iter().any(second_pass);
    for (key, value) in &pairs {
        pair(&mut out, key, value, &find, hires, own);
    }
    for stray in strays {
        out.left(stray, "", "it is in the settings line but is not a pair of key and value");
    }
    if find("Version").is_some_and(is_fooocus) {
        out.set("noise", "RNG", "torch-cpu");
    } else if find("RNG").is_none() {
        out.set("noise", "RNG", "torch-cuda");
        out.note("the text names no RNG, which in A1111 means the GPU's");
    }
    if out.get("variation_strength").is_some() && out.get("variation_seed").is_none() {
        out.note("the text does not name the variation seed");
    }
    out.sorted()
}

/// One pair of the last line; `find` looks for others.
fn pair<'a>(
    out: &mut Foreign,
    key: &str,
    value: &str,
    find: &dyn Fn(&str) -> Option<&'a str>,
    hires: bool,
    own: bool,
) {
    let fooocus = find("Version").is_some_and(is_fooocus);
    match key {
        _ if NEUTRAL.contains(&(key, value)) || FACTS.contains(&key) => out.fact(key, value),
        _ if fooocus && FOOOCUS_FACTS.contains(&key) => out.fact(key, value),
        "Steps" => out.set_number("steps", key, value),
        "Sampler" if ["Shift", "Distilled CFG Scale"].into_iter().any(|key| find(key).is_some()) => {
            sampling::a1111_flow(out, value);
        }
        "Shift" if find("Sampler").is_some() => out.set_number("shift", key, value),
        "Sampler" if own => {
            let before = out.settings.len();
            sampling::a1111(out, value, Some(find("Schedule type").unwrap_or("Uniform")));
            // Maquette's text does not contain the timestep spacing.
            let added = out.settings.split_off(before);
            out.settings.extend(added.into_iter().filter(|(name, _)| *name != "spacing"));
        }
        "Sampler" => sampling::a1111(out, value, find("Schedule type")),
        "Schedule type" if find("Sampler").is_some() => {}
        // Forge's key for the scale that is an input of FLUX.1; the other one is that of guidance by a negative prompt.
        "Distilled CFG Scale" => out.set_number("guidance_scale", key, value),
        "CFG scale" if find("Distilled CFG Scale").is_some() => match value.parse() {
            Ok(1.0) => out.fact(key, value),
            _ => out.set_number("true_cfg_scale", key, value),
        },
        "CFG scale" => out.set_number("guidance_scale", key, value),
        "CFG Rescale" => out.set_number("guidance_rescale", key, value),
        "Seed" => out.set_number("seed", key, value),
        // Before 2023 the second pass had the size, and the first one its own.
        "Size" => match find("First pass size") {
            Some(first) => first_pass(out, first, value),
            None => size(out, key, value),
        },
        "First pass size" => out.fact(key, value),
        "Model" => out.set("model", key, value),
        "VAE" => out.set("vae", key, value),
        "Variation seed" => out.set_number("variation_seed", key, value),
        "Variation seed strength" => out.set_number("variation_strength", key, value),
        "Denoising strength" if hires => out.left(key, value, "it belongs to the second pass"),
        "Denoising strength" => {
            out.set_number("strength", key, value);
            if !own {
                out.note(
                    "A1111's image-to-image does int(strength × steps) + 1 steps, diffusers' int(strength × steps)",
                );
            }
            out.note("it was made from another picture, which the text does not name: set `init_image`");
        }
        "Clip skip" => clip_skip(out, key, value),
        "RNG" => match value {
            "CPU" => out.set("noise", key, "torch-cpu"),
            "cpu" => out.set("noise", key, "torch-cpu"),
            "GPU" | "NV" | "cuda" => out.set("noise", key, "torch-cuda"),
            _ => out.left(key, value, "allowed: GPU, CPU, NV"),
        },
        "Eta DDIM" | "Eta" if find("Sampler").is_some_and(|sampler| sampler == "DDIM") => {
            out.set_number("eta", key, value);
        }
        "ENSD" => out.left(key, value, "diffusers draws the noise of a step with the picture's own seed"),
        "TI hashes" => {
            let names: Vec<&str> = value.split(',').filter_map(|pair| pair.split(':').next()).collect();
            let names: Vec<&str> = names.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect();
            out.set("embeddings", key, names.join(" + ").as_str());
        }
        "Lora weights" => out.set("lora", key, value.replace(", ", " + ").replace(": ", ":").as_str()),
        "Civitai resources" => civitai::resources(out, key, value),
        _ if key.starts_with("Hires ") => out.left(key, value, "Maquette makes a picture in one pass"),
        "Script" => out.left(key, value, "the text describes only the first picture of the script's sheet"),
        "Skip Early CFG" => {
            out.left(key, value, "it skips one step more than that part of them: set `guidance_interval`");
        }
        "Seed resize from" => out.left(key, value, "Maquette does not resize the noise"),
        _ => out.left(key, value, NO_SETTING),
    }
}

fn is_fooocus(version: &str) -> bool {
    version.starts_with("Fooocus")
}

fn size(out: &mut Foreign, key: &str, value: &str) {
    match value.split_once('x') {
        Some((width, height)) => {
            out.set_number("width", key, width);
            out.set_number("height", key, height);
        }
        None => out.left(key, value, "allowed: WIDTHxHEIGHT"),
    }
}

/// The size of the first pass; `0x0` stands for the one with about 512² pixels, in multiples of 64.
///
/// After `restore_old_hires_fix_params` in `modules/infotext_utils.py` and `old_hires_fix_first_pass_dimensions` in
/// `modules/processing.py` of AUTOMATIC1111/stable-diffusion-webui.
fn first_pass(out: &mut Foreign, first: &str, whole: &str) {
    out.left("Size", whole, "Maquette makes a picture in one pass, whose size is `First pass size`");
    let edges = |text: &str| {
        let (width, height) = text.split_once('x')?;
        Some((width.trim().parse::<f64>().ok()?, height.trim().parse::<f64>().ok()?))
    };
    match (edges(first), edges(whole)) {
        (Some((width, height)), Some((whole_width, whole_height))) if width == 0.0 || height == 0.0 => {
            let scale = (512.0 * 512.0 / (whole_width * whole_height)).sqrt();
            let edge = |edge: f64| ((scale * edge / 64.0).ceil() * 64.0) as i64;
            size(out, "First pass size", &format!("{}x{}", edge(whole_width), edge(whole_height)));
        }
        _ => size(out, "First pass size", first),
    }
}

/// A1111 counts layers from the end, diffusers counts those left out: 1 there is 0 here.
fn clip_skip(out: &mut Foreign, key: &str, value: &str) {
    match number(value).and_then(|value| value.as_integer()) {
        Some(layers @ 1..) => out.set("clip_skip", key, layers - 1),
        _ => out.left(key, value, "allowed: a whole number from 1"),
    }
}
