//! The models that look at pictures, for metrics, captions and masks: where they are.

use crate::error::Error;
use maquette_hub::{Cache, Environment, Wanted};
use maquette_metrics::ModelFolder;
use std::path::{Path, PathBuf};

/// The model that describes pictures unless another one is named. The main branch has its weights as a pickle alone.
pub const CAPTION_MODEL: &str = "Salesforce/blip-image-captioning-base@refs/pr/38";

/// The model that makes masks unless another one is named.
pub const MASK_MODEL: &str = "facebook/sam-vit-base";

/// Approximate sizes of the downloads of common models, in megabytes.
const SIZES: [(&str, u32); 9] = [
    ("openai/clip-vit-base-patch32", 610),
    ("openai/clip-vit-large-patch14", 1710),
    ("google/siglip-base-patch16-224", 815),
    ("google/siglip2-base-patch16-224", 1540),
    ("shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE", 1220),
    ("Salesforce/blip-image-captioning-base", 990),
    ("facebook/sam-vit-base", 375),
    ("facebook/sam-vit-large", 1250),
    ("facebook/sam-vit-huge", 2560),
];

/// The folder of a model: a path relative to `base` or to the current folder, or a repository whose files are in the hub's
/// cache. Downloads nothing.
///
/// # Errors
///
/// [`Error::NoVisionModel`] if there is neither, with the command that downloads it.
pub(crate) fn find(name: &str, base: &Path, hub: &Environment) -> Result<ModelFolder, Error> {
    find_in(name, &[base.to_owned(), PathBuf::new()], hub)
}

/// The same, of a path relative to any of these folders, most likely first.
pub(crate) fn find_in(name: &str, bases: &[PathBuf], hub: &Environment) -> Result<ModelFolder, Error> {
    let mut paths = bases.iter().map(|base| base.join(name));
    if let Some(folder) = paths.find(|path| path.is_dir()) {
        return Ok(ModelFolder::new(folder));
    }
    let repository = name.parse().ok();
    let cached = repository.and_then(|repository| Cache::new(hub).find(&repository, &Wanted::Single));
    cached
        .map(ModelFolder::new)
        .ok_or_else(|| Error::NoVisionModel { name: name.to_owned(), hint: hint(name, bases) })
}

/// What to do about a model that is not here. `bases`: where its folder was looked for.
fn hint(name: &str, bases: &[PathBuf]) -> String {
    let base = bases.first().filter(|base| !base.as_os_str().is_empty());
    let base = base.map_or(String::new(), |base| format!(" in {}", base.display()));
    let allowed = format!(
        "allowed: a folder in transformers' layout{base}, or a repository on the hub, OWNER/NAME or OWNER/NAME@REVISION"
    );
    if name.parse::<maquette_hub::Repository>().is_err() {
        return allowed;
    }
    let repository = name.split('@').next().unwrap_or(name);
    let size = SIZES.iter().find(|(known, _)| *known == repository);
    let size = size.map_or(String::new(), |(_, megabytes)| format!(" (about {megabytes} MB)"));
    format!("{allowed}\n\nTo download it{size}: maquette models fetch {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_has_the_command_and_the_size() {
        let hint = |name: &str| hint(name, &[PathBuf::new()]);
        assert!(hint(CAPTION_MODEL).ends_with(
            "(about 990 MB): maquette models fetch Salesforce/blip-image-captioning-base@refs/pr/38"
        ));
        assert!(hint("someone/clip").ends_with("To download it: maquette models fetch someone/clip"));
        assert!(!hint("models/clip/x").contains("fetch"));
        let from = super::hint("models/clip", &[PathBuf::from("experiments"), PathBuf::new()]);
        assert!(from.starts_with("allowed: a folder in transformers' layout in experiments, or"), "{from}");
    }
}
