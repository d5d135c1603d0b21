//! Civitai's list of resources in A1111's text: which model, LoRAs and textual inversions made a picture.
//!
//! After `automatic.metadata.ts` of civitai/civitai, whose generator writes it.

use super::foreign::{Foreign, plain};
use super::json;
use serde_json::Value as Json;

/// Types of networks that Maquette calls LoRAs.
const LORAS: &[&str] = &["lora", "locon", "lycoris", "dora"];

/// Reads the value of `Civitai resources`; the whole text stays among the facts.
pub(super) fn resources(out: &mut Foreign, key: &str, text: &str) {
    out.fact(key, text);
    let Ok(Json::Array(resources)) = json::parse(text) else {
        return out.left(key, text, "it is not a list in JSON");
    };
    let prompt_has_loras =
        out.get("prompt").and_then(|prompt| prompt.as_text()).is_some_and(|p| p.contains("<lora:"));
    let (mut loras, mut embeddings) = (Vec::new(), Vec::new());
    for resource in &resources {
        let text = |key: &str| resource.get(key).map(plain);
        let kind = text("type").or_else(|| type_of(&text("air")?)).unwrap_or_default().to_lowercase();
        // A name with these would be another entry of a list.
        let name = text("modelName").filter(|name| !name.contains(" + ") && !name.contains('='));
        let weight = text("weight").unwrap_or_else(|| "1".to_owned());
        match (kind.as_str(), name) {
            (kind, Some(name)) if LORAS.contains(&kind) => loras.push(format!("{name}:{weight}")),
            ("embed" | "embedding" | "textualinversion", Some(name)) => embeddings.push(name),
            ("checkpoint" | "model", Some(name)) if out.get("model").is_none() => {
                out.set("model", key, name.as_str());
            }
            ("checkpoint" | "model", Some(_)) => {}
            ("vae", Some(name)) if out.get("vae").is_none() => out.set("vae", key, name.as_str()),
            _ => out.left(key, plain(resource), "it has no name that Maquette could look for"),
        }
    }
    if prompt_has_loras && !loras.is_empty() {
        out.note("the LoRAs of `Civitai resources` were not added: the prompt names LoRAs of its own");
    } else if !loras.is_empty() {
        out.set("lora", key, loras.join(" + ").as_str());
    }
    if !embeddings.is_empty() && out.get("embeddings").is_none() {
        out.set("embeddings", key, embeddings.join(" + ").as_str());
    }
}

/// The type in `urn:air:sdxl:lora:civitai:82098@87153`.
fn type_of(air: &str) -> Option<String> {
    let parts = air.strip_prefix("urn:").unwrap_or(air);
    let parts = parts.strip_prefix("air:").unwrap_or(parts);
    parts.split(':').nth(1).map(str::to_owned)
}
