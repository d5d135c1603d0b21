//! Writes the `parameters` text of a picture in the format of the A1111 web UI, which many tools read.
//!
//! It has three parts, joined by newlines: the prompt; `Negative prompt: …` unless empty; one line of `Key: value` pairs,
//! always at least three so that it is recognised. After `modules/infotext_utils.py` and `create_infotext` of
//! AUTOMATIC1111/stable-diffusion-webui. Deliberately not here: reading it, which is in `a1111.rs`.

use crate::sampling::{a1111_rng, a1111_sampler, a1111_schedule};
use maquette_core::{Cell, Digest, Lora, Settings, Variation};
use std::fmt::Write;

/// The text for one cell; the fingerprint is its model's.
pub(crate) fn parameters(cell: &Cell, fingerprint: &Digest) -> String {
    let settings = &cell.settings;
    let mut text = safe_prompt(&settings.prompt);
    // A1111 writes LoRAs into the prompt.
    for Lora { file, weight } in &settings.lora {
        let _ = write!(text, " <lora:{}:{weight}>", file_stem(&file.path));
    }
    if !settings.negative_prompt.is_empty() {
        text.push_str("\nNegative prompt: ");
        text.push_str(&safe_prompt(&settings.negative_prompt));
    }
    text.push('\n');
    text.push_str(&pairs(settings, fingerprint));
    text.trim().to_owned()
}

fn pairs(settings: &Settings, fingerprint: &Digest) -> String {
    let hash: String = fingerprint.to_string().chars().take(10).collect();
    let mut pairs = vec![
        ("Steps", settings.steps.to_string()),
        ("Sampler", a1111_sampler(settings.scheduler).to_owned()),
        ("Schedule type", settings.sigmas.map_or(String::new(), |sigmas| a1111_schedule(sigmas).to_owned())),
        ("CFG scale", settings.guidance_scale.to_string()),
        ("Seed", settings.seed.to_string()),
        ("Size", format!("{}x{}", settings.width, settings.height)),
        ("Model hash", hash),
        ("Model", file_stem(&settings.model).to_owned()),
    ];
    if let Some(vae) = &settings.vae {
        pairs.push(("VAE", file_name(&vae.path).to_owned()));
    }
    if let Some(Variation { seed, strength }) = settings.variation() {
        pairs.push(("Variation seed", seed.to_string()));
        pairs.push(("Variation seed strength", strength.to_string()));
    }
    if let (Some(_), Some(strength)) = (&settings.init_image, settings.strength) {
        pairs.push(("Denoising strength", strength.to_string()));
    }
    // A1111 counts layers from the end, diffusers counts the layers left out: 2 there is 1 here.
    if settings.clip_skip > 0 {
        pairs.push(("Clip skip", (settings.clip_skip + 1).to_string()));
    }
    if let Some(eta) = settings.eta.filter(|eta| *eta > 0.0) {
        pairs.push(("Eta DDIM", eta.to_string()));
    }
    // The key of A1111's extension for Lin et al., arXiv 2305.08891.
    if let Some(rescale) = settings.guidance_rescale.filter(|rescale| *rescale > 0.0) {
        pairs.push(("CFG Rescale", rescale.to_string()));
    }
    pairs.push(("RNG", a1111_rng(settings.noise).to_owned()));
    pairs.push(("Version", format!("maquette {}", env!("CARGO_PKG_VERSION"))));
    let written = pairs.iter().filter(|(_, value)| !value.is_empty());
    written.map(|(key, value)| format!("{key}: {}", quoted(value))).collect::<Vec<_>>().join(", ")
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The last part of a path without the extension of a weight file, as in A1111's lists.
fn file_stem(path: &str) -> &str {
    let name = file_name(path);
    let endings = [".safetensors", ".ckpt", ".pt", ".bin"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Quotes a value as a JSON string if it would break the list of pairs.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '\r', '"']) {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// Changes a prompt so that it cannot be read as one of the other two parts.
///
/// Only white space changes, and CLIP's tokenizer ignores its amount: `Negative prompt:` at the start of a line gets a
/// second space, and a line that begins with `Steps:` is joined to the line before.
fn safe_prompt(prompt: &str) -> String {
    let mut text = String::with_capacity(prompt.len());
    for (number, line) in prompt.replace('\0', " ").split('\n').enumerate() {
        let begins = line.trim_start();
        if number > 0 {
            text.push(if begins.starts_with("Steps:") { ' ' } else { '\n' });
        }
        match begins.strip_prefix("Negative prompt:") {
            Some(rest) => {
                text.push_str("Negative  prompt:");
                text.push_str(rest);
            }
            None => text.push_str(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::Scheduler;
    use maquette_core::test_plans::{cell, with_init_image};

    fn text(change: impl FnOnce(&mut Settings)) -> String {
        let mut cell = cell();
        change(&mut cell.settings);
        parameters(&cell, &Digest::of(b"weights")).replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn text_to_image() {
        insta::assert_snapshot!(text(|_| ()), @r"
        portrait of a cat
        Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 24x16, Model hash: 3edc5c4a5d, Model: sketchbook, RNG: CPU, Version: maquette VERSION
        ");
    }

    #[test]
    fn image_to_image_with_everything() {
        let everything = text(|settings| {
            with_init_image(settings, 0.3);
            settings.negative_prompt = "blurry,\nNegative prompt: twice".into();
            settings.scheduler = Scheduler::EulerA;
            settings.clip_skip = 1;
            settings.guidance_rescale = Some(0.7);
            settings.model = "models/mine: v1, \"final\".safetensors".into();
        });
        insta::assert_snapshot!(everything, @r#"
        portrait of a cat
        Negative prompt: blurry,
        Negative  prompt: twice
        Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 7, Size: 24x16, Model hash: 3edc5c4a5d, Model: "mine: v1, \"final\"", Denoising strength: 0.3, Clip skip: 2, CFG Rescale: 0.7, RNG: CPU, Version: maquette VERSION
        "#);
    }

    #[test]
    fn every_scheduler_has_the_name_that_a1111_gives_it() {
        let check = |scheduler, expected: &str| assert_eq!(a1111_sampler(scheduler), expected);
        check(Scheduler::Pndm, "PLMS");
        check(Scheduler::Ddim, "DDIM");
        check(Scheduler::Euler, "Euler");
        check(Scheduler::EulerA, "Euler a");
    }

    #[test]
    fn a_prompt_cannot_imitate_the_other_parts() {
        let check = |prompt: &str, expected: &str| assert_eq!(safe_prompt(prompt), expected);
        check("Negative prompt: x", "Negative  prompt: x");
        check("a\n  Negative prompt:x", "a\nNegative  prompt:x");
        check("a\nSteps: 1, Sampler: b, Seed: 3", "a Steps: 1, Sampler: b, Seed: 3");
        check("a, Negative prompt: b", "a, Negative prompt: b");
        check("a\0b", "a b");
    }

    #[test]
    fn the_three_parts_can_be_read_back() {
        // As A1111 reads it: the last line contains the pairs, and one line starts the negative prompt.
        for prompt in
            ["", "cat", "cat\nNegative prompt: dog", "Steps: 1, Sampler: x, Seed: 2", "a\n\nb: c, d: e"]
        {
            for negative_prompt in ["", "dog", "dog\nSteps: 1, Sampler: x, Seed: 2"] {
                let text = text(|settings| {
                    settings.prompt = prompt.into();
                    settings.negative_prompt = negative_prompt.into();
                });
                let (body, last) = text.rsplit_once('\n').unwrap_or(("", &text));
                assert!(last.starts_with("Steps: 20, Sampler: "), "{text}");
                let negatives =
                    body.lines().filter(|line| line.trim().starts_with("Negative prompt:")).count();
                assert_eq!(negatives, usize::from(!negative_prompt.is_empty()), "{text}");
                assert!(!body.contains("\nSteps:"), "{text}");
            }
        }
    }
}
