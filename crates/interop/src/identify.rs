//! Finds the tool that wrote a picture's texts.

use crate::foreign::Foreign;
use crate::maquette_text::FORMAT;
use crate::origin::{Metadata, Origin};
use crate::{a1111, comfyui, fooocus, invokeai, json, novelai, swarmui};
use maquette_picture::Texts;
use serde::Deserialize;
use serde_json::Value as Json;

/// The most bytes of a text of JSON that is read: Maquette's own sheets have at most a quarter of it, ComfyUI's graphs some
/// hundred kilobytes.
const MOST: usize = 16 << 20;

/// The most bytes of any other text: two of the longest prompts, and settings.
const MOST_PLAIN: usize = 1 << 20;

/// The words by which A1111's settings are found in texts that also have other uses.
const SETTINGS: &str = "Steps: ";

/// Finds the tool that wrote the texts, and reads them.
pub fn identify(texts: &Texts) -> Metadata {
    let mut unreadable = texts.unreadable.clone();
    let texts = &within_limits(texts, &mut unreadable);
    let origin = maquette(texts, &mut unreadable)
        .or_else(|| parameters(texts, &mut unreadable).map(Origin::Foreign))
        .or_else(|| novelai::read(texts).map(Origin::Foreign))
        .or_else(|| others(texts, &mut unreadable).map(Origin::Foreign))
        .or_else(|| descriptions(texts).map(Origin::Foreign));
    Metadata { origin, unreadable }
}

/// The texts that are not too long; the others are added to `unreadable`.
fn within_limits(texts: &Texts, unreadable: &mut Vec<String>) -> Texts {
    let mut short = Texts::default();
    for (keyword, text) in &texts.found {
        let most = if text.trim_start().starts_with(['{', '[']) { MOST } else { MOST_PLAIN };
        match text.len() > most {
            true => {
                let bytes = text.len();
                unreadable.push(format!("the text `{keyword}` has {bytes} bytes; allowed: at most {most}"));
            }
            false => short.found.push((keyword.clone(), text.clone())),
        }
    }
    short
}

fn maquette(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Origin> {
    let text = texts.get("maquette")?;
    let read = |text: &str| -> Result<Origin, serde_json::Error> {
        match serde_json::from_str(text).map(Origin::Cell) {
            Err(error) => serde_json::from_str(text).map(Origin::Sheet).map_err(|_| error),
            cell => cell,
        }
    };
    if let Ok(Version { cell, sheet }) = serde_json::from_str(text)
        && let Some(format) = cell.or(sheet).filter(|format| *format > FORMAT.into())
    {
        unreadable.push(format!(
            "the text `maquette` has format {format}, which a newer version of maquette has written; this version reads \
             formats up to {FORMAT}"
        ));
        return None;
    }
    read(text)
        .map_err(|error| unreadable.push(format!("the text `maquette` is not in Maquette's format: {error}")))
        .ok()
}

/// The version of Maquette's own text: of a cell or of a sheet.
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "maquette")]
    cell: Option<u64>,
    #[serde(rename = "maquette_sheet")]
    sheet: Option<u64>,
}

/// Reads `parameters`, a keyword that A1111 shares with SwarmUI, Fooocus and others; also EXIF's comment.
fn parameters(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Foreign> {
    let text = texts.get("parameters")?;
    if !text.trim_start().starts_with('{') {
        return Some(a1111::read(text));
    }
    match json::parse(text) {
        Ok(json) => swarmui::read(&json)
            .or_else(|| fooocus::read(&json))
            .or_else(|| comfyui::read(&json))
            .or_else(|| {
                unreadable.push("the text `parameters` is JSON of an unknown tool".to_owned());
                None
            }),
        // A prompt may begin with a brace.
        Err(_) if !text.contains("sui_image_params") => Some(a1111::read(text)),
        Err(error) => {
            unreadable.push(format!("the text `parameters` is invalid JSON: {error}"));
            None
        }
    }
}

/// Other places of A1111's text: a picture's description or comment.
fn descriptions(texts: &Texts) -> Option<Foreign> {
    let keywords = ["ImageDescription", "XPComment", "Description", "Comment"];
    let found = keywords.iter().find_map(|keyword| texts.get(keyword).filter(|text| text.contains(SETTINGS)));
    found.map(a1111::read)
}

/// The texts that a hidden one stands for: NovelAI hides its texts as JSON, A1111's extension hides `parameters`.
pub fn hidden_texts(text: String) -> Texts {
    let mut texts = Texts::default();
    match json::parse(&text) {
        Ok(Json::Object(map)) if map.contains_key("Comment") => {
            texts
                .found
                .extend(map.into_iter().map(|(keyword, text)| (keyword, crate::foreign::plain(&text))));
        }
        _ => texts.found.push(("parameters".to_owned(), text)),
    }
    texts
}

/// Reads the text of one keyword; `None` if it is not in the expected format.
type Reader = fn(&Json) -> Option<Foreign>;

fn others(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Foreign> {
    let readers: [(&str, Reader); 5] = [
        ("prompt", comfyui::read),
        ("workflow", comfyui::read_workflow),
        ("invokeai_metadata", invokeai::read),
        ("sd-metadata", invokeai::read_old),
        ("Comment", fooocus::read),
    ];
    for (keyword, reader) in readers {
        let Some(text) = texts.get(keyword) else { continue };
        match json::parse(text) {
            Ok(json) => match reader(&json) {
                Some(found) => return Some(found),
                // Anything may be a comment.
                None if keyword == "Comment" && !json.is_object() => {}
                None if comfyui::is_too_large(&json) => {
                    unreadable.push(format!(
                        "the text `{keyword}` is a graph with too many nodes, which is not read"
                    ));
                }
                None => unreadable.push(format!("the text `{keyword}` is JSON of an unknown format")),
            },
            Err(_) if keyword == "Comment" => {}
            Err(error) => unreadable.push(format!("the text `{keyword}` is invalid JSON: {error}")),
        }
    }
    let dream = texts.get("Dream")?;
    let found = invokeai::read_dream(dream);
    if found.is_none() {
        unreadable.push("the text `Dream` does not begin with a prompt in quotes".to_owned());
    }
    found
}
