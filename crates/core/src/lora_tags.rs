//! LoRAs that a prompt names in the syntax of A1111's web UI.
//!
//! Not here: lists of LoRAs in experiment files (`weights.rs`).

use crate::SettingError;
use crate::weights::finite;

/// A LoRA that a prompt names, in the syntax of A1111's web UI.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoraTag<'a> {
    /// The file as written.
    pub name: &'a str,
    /// The weight in the denoiser.
    pub weight: f64,
    /// The weight in the text encoders.
    pub text_weight: f64,
}

/// How tags begin; `lyco` is A1111's older word for LoRAs of the kinds of LyCORIS.
const TAGS: [&str; 2] = ["<lora:", "<lyco:"];

/// Whether a prompt may have tags that name LoRAs.
pub fn has_loras(prompt: &str) -> bool {
    TAGS.iter().any(|tag| prompt.contains(tag))
}

/// Splits a prompt into the text without its `<lora:…>` tags, and what the tags name.
///
/// The syntax is that of A1111 (`extensions-builtin/Lora/extra_networks_lora.py`): `<lora:name>`, `<lora:name:weight>`,
/// `<lora:name:text:unet>`; `te=` and `unet=` name a weight. The text encoders' weight is 1 if it is not given, and the
/// UNet's is then the same. A tag without an end, or with nothing in it, is text, as it is there.
///
/// A tag with an argument that is not supported is an error: ignoring it would render another picture.
pub fn take_loras(prompt: &str) -> Result<(String, Vec<LoraTag<'_>>), SettingError> {
    let (mut text, mut loras) = (String::with_capacity(prompt.len()), Vec::new());
    let mut rest = prompt;
    while let Some((start, kind)) = TAGS.iter().filter_map(|tag| Some((rest.find(tag)?, tag))).min() {
        let (before, tag) = rest.split_at(start);
        let Some(end) = tag.find('>') else { break };
        let (tag, after) = tag.split_at(end + 1);
        text.push_str(before);
        match &tag[kind.len()..end] {
            "" => text.push_str(tag),
            arguments => {
                let wrong = |reason| SettingError {
                    setting: "prompt".to_owned(),
                    value: tag.to_owned(),
                    allowed: format!(
                        "`<lora:name>`, `<lora:name:weight>` or `<lora:name:text_encoder_weight:unet_weight>`; {reason}"
                    ),
                };
                loras.push(arguments_of(arguments).map_err(wrong)?);
            }
        }
        rest = after;
    }
    text.push_str(rest);
    Ok((text, loras))
}

/// The name and the weights between a tag's first colon and its end; the error says what is wrong with them.
fn arguments_of(arguments: &str) -> Result<LoraTag<'_>, String> {
    let number = |text: &str| finite(text).ok_or_else(|| format!("`{text}` is not a number"));
    let (mut positional, mut te, mut unet) = (Vec::new(), None, None);
    for argument in arguments.split(':') {
        match argument.split_once('=') {
            None => positional.push(argument.trim()),
            Some((key, value)) => match key.trim() {
                "te" => te = Some(number(value)?),
                "unet" => unet = Some(number(value)?),
                "lbw" => {
                    return Err("`lbw` gives a weight to each block in an extension of A1111, which is not \
                                supported"
                        .to_owned());
                }
                "dyn" => return Err("`dyn` reduces the rank, which is not supported".to_owned()),
                key => return Err(format!("`{key}` is not supported, `te` and `unet` are")),
            },
        }
    }
    let &[name, ref weights @ ..] = positional.as_slice() else { return Err("it has no name".to_owned()) };
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    if weights.len() > 2 {
        return Err("a third number reduces the rank, which is not supported".to_owned());
    }
    let text_weight = match (te, weights.first()) {
        (Some(te), _) => te,
        (None, Some(weight)) => number(weight)?,
        (None, None) => 1.0,
    };
    let weight = match (unet, weights.get(1)) {
        (Some(unet), _) => unet,
        (None, Some(weight)) => number(weight)?,
        (None, None) => text_weight,
    };
    Ok(LoraTag { name, weight, text_weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_removed_from_a_prompt() {
        let check = |prompt: &str, text: &str, loras: &[(&str, f64, f64)]| {
            let (found, tags) = take_loras(prompt).unwrap();
            let tags: Vec<_> = tags.iter().map(|it| (it.name, it.text_weight, it.weight)).collect();
            assert_eq!((found.as_str(), tags.as_slice()), (text, loras), "{prompt}");
        };
        check("a cat", "a cat", &[]);
        check("a cat <lora:style:0.8>, oil", "a cat , oil", &[("style", 0.8, 0.8)]);
        check("<lora:a><lora:b:0>", "", &[("a", 1.0, 1.0), ("b", 0.0, 0.0)]);
        check("<lyco:b:0.25> <lora:a>", " ", &[("b", 0.25, 0.25), ("a", 1.0, 1.0)]);
        check("<lora:> <lora:x", "<lora:> <lora:x", &[]);
        check("<b> é <lora:é:2>", "<b> é ", &[("é", 2.0, 2.0)]);
        // Text encoders first.
        check("<lora:a:0.5:1>", "", &[("a", 0.5, 1.0)]);
        check("<lora:a:0:0.8>", "", &[("a", 0.0, 0.8)]);
        check("<lora:a:te=0.5:unet=0.75>", "", &[("a", 0.5, 0.75)]);
        check("<lora:a:te=0>", "", &[("a", 0.0, 0.0)]);
        check("<lora:a:unet=0.5>", "", &[("a", 1.0, 0.5)]);
        check("<lora:a:0.7:te=0.2>", "", &[("a", 0.2, 0.2)]);
        check("<lora:a:0.7:0.6:te=0.2>", "", &[("a", 0.2, 0.6)]);
    }

    #[test]
    fn tags_that_would_be_ignored_are_errors() {
        let check = |prompt: &str, reason: &str| {
            let error = take_loras(prompt).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("`prompt` is `<lora:"), "{error}");
        };
        check("x <lora:a:b>", "`b` is not a number");
        check("<lora:a:1:inf>", "`inf` is not a number");
        check("<lora:a:te=x>", "`x` is not a number");
        check("<lora::1>", "it has no name");
        check("<lora:te=1>", "it has no name");
        check("<lora:a:1:lbw=MIDD>", "`lbw` gives a weight to each block");
        check("<lora:a:1:1:4>", "a third number reduces the rank");
        check("<lora:a:1:dyn=4>", "`dyn` reduces the rank");
        check("<lora:a:1:start=3>", "`start` is not supported");
    }
}
