//! Writes the `parameters` text of a picture in the format of the A1111 web UI, which many tools read.
//!
//! It has three parts, joined by newlines: the prompt; `Negative prompt: …` unless empty; one line of `Key: value` pairs,
//! always at least three so that it is recognised. After `modules/infotext_utils.py` and `create_infotext` of
//! AUTOMATIC1111/stable-diffusion-webui. Deliberately not here: reading it, which is in `a1111.rs`.

use crate::file_hashes::{FileHashes, Sha256};
use crate::sampling::{a1111_rng, a1111_sampler, a1111_schedule};
use maquette_core::{Cell, Digest, Embedding, Fit, Lora, Settings, Variation};
use std::fmt::Write;

/// The text for one cell. The fingerprint is its model's; files without `hashes` are named without a hash.
pub(crate) fn parameters(cell: &Cell, fingerprint: &Digest, hashes: &FileHashes) -> String {
    let settings = &cell.settings;
    let mut text = safe_prompt(&settings.prompt);
    // A1111 writes LoRAs into the prompt.
    for Lora { file, weight, text_weight } in &settings.lora {
        let name = file_stem(&file.path);
        let _ = match text_weight == weight {
            true => write!(text, " <lora:{name}:{weight}>"),
            false => write!(text, " <lora:{name}:{text_weight}:{weight}>"),
        };
    }
    if !settings.negative_prompt.is_empty() {
        text.push_str("\nNegative prompt: ");
        text.push_str(&safe_prompt(&settings.negative_prompt));
    }
    text.push('\n');
    text.push_str(&pairs(settings, fingerprint, hashes));
    text.trim().to_owned()
}

fn pairs(settings: &Settings, fingerprint: &Digest, hashes: &FileHashes) -> String {
    let model = hashes.get(fingerprint).map_or("", Sha256::short);
    let mut pairs = vec![
        ("Steps", settings.steps.to_string()),
        ("Sampler", a1111_sampler(settings.scheduler).to_owned()),
        ("Schedule type", settings.sigmas.map_or(String::new(), |sigmas| a1111_schedule(sigmas).to_owned())),
        // Forge's key for models that predict flow.
        ("Shift", settings.shift.map_or(String::new(), |shift| shift.to_string())),
        ("CFG scale", settings.true_cfg_scale.unwrap_or(settings.guidance_scale).to_string()),
        // Forge's key for models that take the scale as an input.
        (
            "Distilled CFG Scale",
            settings.true_cfg_scale.map_or(String::new(), |_| settings.guidance_scale.to_string()),
        ),
        ("Seed", settings.seed.to_string()),
        ("Size", format!("{}x{}", settings.width, settings.height)),
        ("Model hash", model.to_owned()),
        ("Model", file_stem(&settings.model).to_owned()),
    ];
    if let Some(vae) = &settings.vae {
        pairs.push(("VAE hash", hashes.get(&vae.digest).map_or("", Sha256::short).to_owned()));
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
    if let Some(unit) = controlnet(settings, hashes) {
        pairs.push(("ControlNet 0", unit));
    }
    pairs.push(("RNG", a1111_rng(settings.noise).to_owned()));
    pairs.push(("Lora hashes", named_hashes(&loras(settings, hashes), Sha256::lora)));
    pairs.push(("TI hashes", named_hashes(&embeddings(settings, hashes), Sha256::embedding)));
    pairs.push(("Version", format!("maquette {}", env!("CARGO_PKG_VERSION"))));
    let written = pairs.iter().filter(|(_, value)| !value.is_empty());
    let mut written: Vec<String> = written.map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    // Civitai's extension writes it last, and without quotes.
    written.extend(civitai_hashes(settings, fingerprint, hashes).map(|json| format!("Hashes: {json}")));
    written.join(", ")
}

/// The first unit of A1111's ControlNet extension (Mikubill's, also in Forge), if a ControlNet has an effect. Its picture
/// is not a part of the text.
fn controlnet(settings: &Settings, hashes: &FileHashes) -> Option<String> {
    let controlnet = settings.controlnet.as_ref().filter(|_| !settings.control_calls().is_empty())?;
    let hash =
        hashes.get(&controlnet.digest).map_or(String::new(), |sha| format!(" [{}]", &sha.short()[..8]));
    let resize = match settings.fit.unwrap_or(Fit::Stretch) {
        Fit::Stretch => "Just Resize",
        Fit::Crop | Fit::Top => "Crop and Resize",
        Fit::Contain => "Resize and Fill",
    };
    Some(format!(
        "Module: none, Model: {}{hash}, Weight: {}, Resize Mode: {resize}, Guidance Start: {}, Guidance End: {}, Pixel \
         Perfect: False, Control Mode: Balanced",
        name(file_stem(&controlnet.path)),
        settings.controlnet_conditioning_scale.unwrap_or(1.0),
        settings.control_guidance_start.unwrap_or(0.0),
        settings.control_guidance_end.unwrap_or(1.0),
    ))
}

type Named<'a> = Vec<(String, &'a Sha256)>;

/// The LoRAs whose hashes are known, by the names that they have in the prompt.
fn loras<'a>(settings: &Settings, hashes: &'a FileHashes) -> Named<'a> {
    let known = |lora: &Lora| Some((name(file_stem(&lora.file.path)), hashes.get(&lora.file.digest)?));
    settings.lora.iter().filter_map(known).collect()
}

/// The textual inversions whose hashes are known, by their words.
fn embeddings<'a>(settings: &Settings, hashes: &'a FileHashes) -> Named<'a> {
    let known = |embedding: &Embedding| {
        let word = embedding.word.as_deref().unwrap_or_else(|| file_stem(&embedding.file.path));
        Some((name(word), hashes.get(&embedding.file.digest)?))
    };
    settings.embeddings.iter().filter_map(known).collect()
}

/// A name without what would end it in a list of hashes.
fn name(name: &str) -> String {
    name.replace([',', ':', '{', '}', '"'], "")
}

/// A1111's list of hashes: `name: hash, name: hash`.
fn named_hashes(named: &Named<'_>, hash: fn(&Sha256) -> &str) -> String {
    named.iter().map(|(name, sha)| format!("{name}: {}", hash(sha))).collect::<Vec<_>>().join(", ")
}

/// What Civitai reads: the first ten digits of every file's hash, as JSON; `None` if none is known.
fn civitai_hashes(settings: &Settings, fingerprint: &Digest, hashes: &FileHashes) -> Option<String> {
    let mut found = serde_json::Map::new();
    let mut add = |key: String, sha: &Sha256| found.insert(key, sha.short().into());
    hashes.get(fingerprint).map(|sha| add("model".to_owned(), sha));
    settings.vae.as_ref().and_then(|vae| hashes.get(&vae.digest)).map(|sha| add("vae".to_owned(), sha));
    for (kind, named) in [("lora", loras(settings, hashes)), ("embed", embeddings(settings, hashes))] {
        named.iter().for_each(|(name, sha)| {
            add(format!("{kind}:{name}"), sha);
        });
    }
    (!found.is_empty()).then(|| serde_json::Value::Object(found).to_string())
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
    use maquette_core::test_plans::{cell, with_init_image};
    use maquette_core::{NamedFile, Scheduler};

    /// The hashes of the model and of the files in the tests.
    fn hashes() -> FileHashes {
        let mut hashes = FileHashes::default();
        for (digest, digit) in [("weights", "a"), ("vae", "b"), ("ink", "c"), ("hands", "e")] {
            let sha = Sha256 { file: digit.repeat(64), tensors: (digit == "c").then(|| "d".repeat(64)) };
            hashes.insert(Digest::of(digest.as_bytes()), sha);
        }
        hashes
    }

    fn text(change: impl FnOnce(&mut Settings)) -> String {
        let mut cell = cell();
        change(&mut cell.settings);
        parameters(&cell, &Digest::of(b"weights"), &hashes()).replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn text_to_image() {
        insta::assert_snapshot!(text(|_| ()), @r#"
        portrait of a cat
        Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 24x16, Model hash: aaaaaaaaaa, Model: sketchbook, RNG: CPU, Version: maquette VERSION, Hashes: {"model":"aaaaaaaaaa"}
        "#);
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
        Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 7, Size: 24x16, Model hash: aaaaaaaaaa, Model: "mine: v1, \"final\"", Denoising strength: 0.3, Clip skip: 2, CFG Rescale: 0.7, RNG: CPU, Version: maquette VERSION, Hashes: {"model":"aaaaaaaaaa"}
        "#);
    }

    #[test]
    fn files_are_named_by_the_hashes_that_other_tools_know() {
        let file = |path: &str, content: &str| NamedFile {
            path: path.into(),
            file: std::path::Path::new(path).into(),
            digest: Digest::of(content.as_bytes()),
        };
        let lora = |path, content| Lora::new(file(path, content), 0.8);
        let everything = text(|settings| {
            settings.vae = Some(file("sharp.safetensors", "vae"));
            settings.lora = vec![lora("loras/ink.safetensors", "ink"), lora("unknown.safetensors", "?")];
            settings.embeddings =
                vec![Embedding { word: Some("bad:hands".into()), file: file("x.pt", "hands") }];
        });
        insta::assert_snapshot!(everything, @r#"
        portrait of a cat <lora:ink:0.8> <lora:unknown:0.8>
        Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 7, Size: 24x16, Model hash: aaaaaaaaaa, Model: sketchbook, VAE hash: bbbbbbbbbb, VAE: sharp.safetensors, RNG: CPU, Lora hashes: "ink: dddddddddddd", TI hashes: "badhands: eeeeeeeeeeee", Version: maquette VERSION, Hashes: {"model":"aaaaaaaaaa","vae":"bbbbbbbbbb","lora:ink":"cccccccccc","embed:badhands":"eeeeeeeeee"}
        "#);
    }

    #[test]
    fn a_controlnet_is_a_unit_of_the_extension() {
        let file = |path: &str, content: &str| NamedFile {
            path: path.into(),
            file: std::path::Path::new(path).into(),
            digest: Digest::of(content.as_bytes()),
        };
        let controlled = |scale: f64| {
            text(|settings| {
                settings.controlnet = Some(file("nets/canny.safetensors", "vae"));
                settings.control_image = Some(file("edges.png", "edges"));
                settings.controlnet_conditioning_scale = Some(scale);
                settings.control_guidance_end = Some(0.8);
            })
        };
        let unit = "ControlNet 0: \"Module: none, Model: canny [bbbbbbbb], Weight: 0.5, Resize Mode: Just Resize, Guidance \
                    Start: 0, Guidance End: 0.8, Pixel Perfect: False, Control Mode: Balanced\", RNG: CPU";
        assert!(controlled(0.5).contains(unit), "{}", controlled(0.5));
        assert!(!controlled(0.0).contains("ControlNet"));
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
