//! NovelAI's texts: `Description`, `Source`, and `Comment` as JSON; the same are hidden in the alpha channel.
//!
//! After NovelAI/novelai-image-metadata and NovelAI's documentation of its prompts.

use super::foreign::{Foreign, NO_SETTING, Tool, is_neutral, plain};
use super::{json, sampling};
use maquette_picture::Texts;
use serde_json::Value as Json;

/// Texts beside the JSON.
const FACTS: &[&str] = &["Title", "Software", "Source", "Generation time"];

/// Reads the texts; `None` if they are not NovelAI's.
pub(super) fn read(texts: &Texts) -> Option<Foreign> {
    let by = |keyword, name| texts.get(keyword).is_some_and(|text| text.contains(name));
    if !by("Software", "NovelAI") && !by("Title", "AI generated image") {
        return None;
    }
    let comment = json::parse(texts.get("Comment")?).ok()?;
    let given = comment.as_object()?;
    let mut out = Foreign::new(Tool::NovelAI);
    let written = given.get("prompt").map(plain).or_else(|| texts.get("Description").map(str::to_owned));
    prompt(&mut out, "prompt", &written.unwrap_or_default());
    prompt(&mut out, "negative_prompt", &given.get("uc").map(plain).unwrap_or_default());
    let schedule = given.get("noise_schedule").map_or("native".to_owned(), plain);
    let from_picture =
        given.get("request_type").map(plain).is_some_and(|kind| kind != "PromptGenerateRequest");
    let thresholds = given.get("dynamic_thresholding").is_some_and(|value| !is_neutral(value));
    for (key, value) in given {
        match key.as_str() {
            "prompt" | "uc" | "noise_schedule" => {}
            "steps" => out.set_json("steps", key, value),
            "seed" => out.set_json("seed", key, value),
            "scale" => out.set_json("guidance_scale", key, value),
            "cfg_rescale" => out.set_json("guidance_rescale", key, value),
            "width" => out.set_json("width", key, value),
            "height" => out.set_json("height", key, value),
            "sampler" => sampler(&mut out, &plain(value), &schedule),
            "strength" if from_picture => out.set_json("strength", key, value),
            "noise" if value.as_f64() == Some(0.0) || !from_picture => out.fact(key, plain(value)),
            "uncond_scale" if value.as_f64() == Some(1.0) => out.fact(key, plain(value)),
            "v4_prompt" | "v4_negative_prompt" => characters(&mut out, key, value),
            "dynamic_thresholding_percentile" | "dynamic_thresholding_mimic_scale" if !thresholds => {
                out.fact(key, plain(value));
            }
            "strength" | "n_samples" | "request_type" | "signed_hash" | "version" | "extra_noise_seed"
            | "params_version" => out.fact(key, plain(value)),
            _ if is_neutral(value) => out.fact(key, plain(value)),
            _ => out.left(key, plain(value), NO_SETTING),
        }
    }
    for keyword in FACTS {
        if let Some(text) = texts.get(keyword) {
            out.fact(*keyword, text);
        }
    }
    if from_picture {
        out.note("it was made from another picture, which the text does not name: set `init_image`");
    }
    out.note(
        "NovelAI's models are not public, and the text does not say how the noise was drawn: it will differ",
    );
    out.set("dialect", "dialect", "a1111");
    Some(out.sorted())
}

fn sampler(out: &mut Foreign, name: &str, schedule: &str) {
    let schedule = match schedule {
        "native" => "normal",
        // With its default exponent it is the exponential one.
        "polyexponential" => "exponential",
        other => other,
    };
    match name {
        "ddim" | "ddim_v3" => out.set("scheduler", "sampler", "ddim"),
        "plms" => out.set("scheduler", "sampler", "pndm"),
        _ => {
            let bare = name.strip_prefix("k_").unwrap_or(name);
            sampling::comfy(out, ("sampler", bare), ("noise_schedule", schedule));
        }
    }
}

/// The prompts of characters, which Maquette cannot place; without any, the rest repeats the prompt.
fn characters(out: &mut Foreign, key: &str, value: &Json) {
    let captions = value.pointer("/caption/char_captions").and_then(Json::as_array);
    for caption in captions.into_iter().flatten() {
        out.left(
            key,
            caption.get("char_caption").map_or_else(|| plain(caption), plain),
            "Maquette has one prompt",
        );
    }
}

fn prompt(out: &mut Foreign, setting: &'static str, text: &str) {
    let converted = convert(text);
    if converted != text {
        out.note("NovelAI weights words differently from A1111: similar, not the same");
    }
    if text.contains('|') {
        out.note(format!("{setting} contains |, with which NovelAI mixes prompts or separates characters"));
    }
    out.set(setting, setting, converted.as_str());
}

/// A prompt in A1111's dialect: `{more}` and `[less]` by 1.05, `1.2::as much::`; parentheses are text.
fn convert(text: &str) -> String {
    let (mut out, mut open): (String, Vec<char>) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((weight, inside, after)) = numeric(rest, &out) {
            out.push_str(&format!("({}:{weight})", convert(inside)));
            rest = after;
            continue;
        }
        match c {
            '{' | '[' => {
                open.push(if c == '{' { '}' } else { ']' });
                out.push('(');
            }
            '}' | ']' if open.last() == Some(&c) => {
                open.pop();
                out.push_str(closing(c));
            }
            '(' | ')' | ']' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    open.iter().rev().for_each(|c| out.push_str(closing(*c)));
    out
}

/// The end of brackets: a curly one multiplies by 1.05, a square one divides by it.
fn closing(bracket: char) -> &'static str {
    if bracket == '}' { ":1.05)" } else { ":0.952381)" }
}

/// `1.2::text::` at the start of a word: its weight, its text, and what follows.
fn numeric<'a>(text: &'a str, before: &str) -> Option<(f64, &'a str, &'a str)> {
    if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':')) {
        return None;
    }
    let (number, rest) = text.split_once("::")?;
    let weight = maquette_core::composition::plain_number(number)?;
    let (inside, after) = rest.split_once("::").unwrap_or((rest, ""));
    Some((weight, inside, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_words() {
        let check = |text: &str, expected: &str| assert_eq!(convert(text), expected, "{text}");
        check("1girl, {{smile}}, [hat]", "1girl, ((smile:1.05):1.05), (hat:0.952381)");
        check("a (cat) {b", r"a \(cat\) (b:1.05)");
        check("a} b] \\", r"a} b\] \\");
        check("1.2::red hair::, -1::hat::, x", "(red hair:1.2), (hat:-1), x");
        check("2::a {b}", "(a (b:1.05):2)");
        check("a::b, v2::c", "a::b, v2::c");
        check("", "");
    }
}
