//! Reads A1111's `parameters` text: prompt, negative prompt, and a last line of `Key: value` pairs.
//!
//! After `modules/infotext_utils.py` and `create_infotext` of AUTOMATIC1111/stable-diffusion-webui. `a1111_text.rs` writes
//! it.

use super::foreign::{Foreign, NO_SETTING, Tool, number};
use super::sampling;
use maquette_core::Value;

/// A line with fewer pairs than this is part of the prompt.
const LEAST_PAIRS: usize = 3;

/// The parts of the text, not interpreted.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    prompt: String,
    negative_prompt: String,
    pairs: Vec<(String, String)>,
    /// Pieces of the last line that are not pairs.
    strays: Vec<String>,
}

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
    let hires = pairs.iter().any(|(key, _)| key.starts_with("Hires "));
    for (key, value) in &pairs {
        pair(&mut out, key, value, &find, hires, own);
    }
    for stray in strays {
        out.left(stray, "", "it is in the settings line but is not a pair of key and value");
    }
    if find("RNG").is_none() {
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
    match key {
        "Steps" => out.set_number("steps", key, value),
        "Sampler" if own => {
            let before = out.settings.len();
            sampling::a1111(out, value, Some(find("Schedule type").unwrap_or("Uniform")));
            // Maquette's text does not contain the timestep spacing.
            let added = out.settings.split_off(before);
            out.settings.extend(added.into_iter().filter(|(name, _)| *name != "spacing"));
        }
        "Sampler" => sampling::a1111(out, value, find("Schedule type")),
        "Schedule type" if find("Sampler").is_some() => {}
        "CFG scale" => out.set_number("guidance_scale", key, value),
        "CFG Rescale" => out.set_number("guidance_rescale", key, value),
        "Seed" => out.set_number("seed", key, value),
        "Size" => size(out, value),
        "Model" => out.set("model", key, value),
        "VAE" if matches!(value, "Automatic" | "None") => out.fact(key, value),
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
        "ENSD" if number(value) == Some(Value::Integer(0)) => out.fact(key, value),
        "ENSD" => out.left(key, value, "diffusers draws the noise of a step with the picture's own seed"),
        "TI hashes" => {
            let names: Vec<&str> = value.split(',').filter_map(|pair| pair.split(':').next()).collect();
            let names: Vec<&str> = names.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect();
            out.set("embeddings", key, names.join(" + ").as_str());
        }
        "Model hash" | "VAE hash" | "Lora hashes" | "Hashes" | "Init image hash" | "Version" | "User"
        | "Template" | "Negative Template" | "Created Date" | "Civitai resources" | "Civitai metadata" => {
            out.fact(key, value);
        }
        "Emphasis" if value == "Original" => out.fact(key, value),
        "Hires upscale" | "Hires upscaler" | "Hires steps" | "Hires resize" => {
            out.left(key, value, "Maquette makes a picture in one pass");
        }
        "Script" => out.left(key, value, "the text describes only the first picture of the script's sheet"),
        "Seed resize from" => out.left(key, value, "Maquette does not resize the noise"),
        _ => out.left(key, value, NO_SETTING),
    }
}

fn size(out: &mut Foreign, value: &str) {
    match value.split_once('x') {
        Some((width, height)) => {
            out.set_number("width", "Size", width);
            out.set_number("height", "Size", height);
        }
        None => out.left("Size", value, "allowed: WIDTHxHEIGHT"),
    }
}

/// A1111 counts layers from the end, diffusers counts those left out: 1 there is 0 here.
fn clip_skip(out: &mut Foreign, key: &str, value: &str) {
    match number(value).and_then(|value| value.as_integer()) {
        Some(layers @ 1..) => out.set("clip_skip", key, layers - 1),
        _ => out.left(key, value, "allowed: a whole number from 1"),
    }
}

fn parts(text: &str) -> Parts {
    let text = text.trim();
    let (body, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let (mut pairs, mut strays) = pairs(last);
    let body = if pairs.iter().filter(|(key, _)| is_key(key)).count() < LEAST_PAIRS {
        (pairs, strays) = (Vec::new(), Vec::new());
        text
    } else {
        body
    };
    let (mut prompt, mut negative_prompt): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut negative = false;
    for line in body.lines() {
        match line.trim().strip_prefix("Negative prompt:") {
            Some(rest) if !negative => {
                negative = true;
                negative_prompt.push(rest.trim());
            }
            _ if negative => negative_prompt.push(line.trim()),
            _ => prompt.push(line.trim()),
        }
    }
    let joined = |lines: Vec<&str>| lines.join("\n").trim().to_owned();
    Parts { prompt: joined(prompt), negative_prompt: joined(negative_prompt), pairs, strays }
}

/// The pairs of a line, and the pieces between its commas that are not pairs. A value is a JSON string or ends at a comma.
fn pairs(line: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut pairs, mut strays) = (Vec::new(), Vec::new());
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest.find([',', ':']).unwrap_or(rest.len());
        let key = rest[..end].trim();
        if !rest[end..].starts_with(':') {
            if !key.is_empty() {
                strays.push(key.to_owned());
            }
            rest = rest[end..].trim_start_matches(',').trim_start();
            continue;
        }
        let value = rest[end + 1..].trim_start();
        let (value, after) = quoted(value).unwrap_or_else(|| {
            let end = value.find(',').unwrap_or(value.len());
            (value[..end].trim().to_owned(), &value[end..])
        });
        pairs.push((key.to_owned(), value));
        rest = after.trim_start_matches(',').trim_start();
    }
    (pairs, strays)
}

/// A quoted value that is followed by a comma or the end of the text: its content, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })?;
    let after = inside[end + 1..].trim_start();
    if !after.is_empty() && !after.starts_with(',') {
        return None;
    }
    let value = serde_json::from_str(&text[..end + 2]);
    // Early versions escaped only quotes and backslashes.
    let value = value.unwrap_or_else(|_| inside[..end].replace("\\\"", "\"").replace("\\\\", "\\"));
    Some((value, after))
}

/// Whether A1111 reads it as a key: a letter, followed by at least one letter, space, `-` or `/`.
fn is_key(key: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut chars = key.chars();
    chars.next().is_some_and(word)
        && key.chars().count() > 1
        && chars.all(|c| word(c) || matches!(c, ' ' | '-' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_parts_are_found() {
        let check = |text: &str, prompt: &str, negative_prompt: &str, pairs: usize| {
            let parts = parts(text);
            assert_eq!((&*parts.prompt, &*parts.negative_prompt), (prompt, negative_prompt), "{text}");
            assert_eq!(parts.pairs.len(), pairs, "{text}");
        };
        check("a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 1", "a cat", "dog", 3);
        check("a\n\nb\nNegative prompt: c\nd\nSteps: 1, Seed: 2, Size: 8x8", "a\n\nb", "c\nd", 3);
        check("Steps: 20, Sampler: Euler, Seed: 1", "", "", 3);
        check("Negative prompt: x\nSteps: 20, Sampler: Euler, Seed: 1", "", "x", 3);
        // Two pairs are part of the prompt, and so are keys of one letter.
        check("a cat\nSteps: 20, Sampler: Euler", "a cat\nSteps: 20, Sampler: Euler", "", 0);
        check("a: 1, b: 2, c: 3", "a: 1, b: 2, c: 3", "", 0);
        // A prompt that contains settings, and one that contains `Negative prompt:`.
        check(
            "Steps: 1, Sampler: b, Seed: 3\nSteps: 2, Sampler: c, Seed: 4",
            "Steps: 1, Sampler: b, Seed: 3",
            "",
            3,
        );
        check("no Negative prompt: here\nSteps: 2, Sampler: c, Seed: 4", "no Negative prompt: here", "", 3);
        check("", "", "", 0);
        check("\r\na\r\nNegative prompt: b\r\nSteps: 2, Sampler: c, Seed: 4\r\n", "a", "b", 3);
    }

    #[test]
    fn pairs_and_their_quotes() {
        let check = |line: &str, expected: &[(&str, &str)], stray: &[&str]| {
            let (found, strays) = pairs(line);
            let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(found, expected, "{line}");
            assert_eq!(strays, stray, "{line}");
        };
        check("Steps: 20, CFG scale: 7.5", &[("Steps", "20"), ("CFG scale", "7.5")], &[]);
        check(
            r#"Lora hashes: "a: 1, b: 2", Version: v1"#,
            &[("Lora hashes", "a: 1, b: 2"), ("Version", "v1")],
            &[],
        );
        check(r#"Model: "a \"b\" \u00e9, c""#, &[("Model", "a \"b\" é, c")], &[]);
        check(r#"Model: "a \d, b", Seed: 1"#, &[("Model", r"a \d, b"), ("Seed", "1")], &[]);
        // Unfinished and misplaced quotes end at the comma.
        check(r#"Model: "a, Seed: 1"#, &[("Model", "\"a"), ("Seed", "1")], &[]);
        check(r#"Model: "a" b, Seed: 1"#, &[("Model", "\"a\" b"), ("Seed", "1")], &[]);
        // An unquoted list: its tail becomes strays. A1111 writes a key that equals its value only once.
        check("Skip layers: [7, 8, 9], Seed: 1", &[("Skip layers", "[7"), ("Seed", "1")], &["8", "9]"]);
        check("Steps: 20, Tiling, Seed: 1", &[("Steps", "20"), ("Seed", "1")], &["Tiling"]);
        check("Steps:, Seed: 1,", &[("Steps", ""), ("Seed", "1")], &[]);
        check(",,:,", &[("", "")], &[]);
    }
}
