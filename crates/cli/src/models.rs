//! From the name of a model to its files: the bundled one, a folder, or what other tools have downloaded from the hub.

use maquette_diffusion::ModelSource;
use std::path::{Path, PathBuf};

/// A name that leads to no model.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("no model is called `{name}`")]
#[diagnostic(help(
    "allowed: `{}` (bundled), a folder in diffusers layout, or a repository that is in the hub's cache{}",
    maquette_sketchbook::NAME,
    download_hint(.name)
))]
pub struct NoModel {
    /// The name as written.
    pub name: String,
}

/// Finds a model: the bundled one by its name; a folder relative to `base`, the experiment file's folder, or to the
/// current one; a repository name in the cache that huggingface's own tools fill.
pub fn find(name: &str, base: &Path) -> Result<ModelSource, NoModel> {
    if name == maquette_sketchbook::NAME {
        return Ok(ModelSource::Bytes(maquette_sketchbook::FILES));
    }
    let folders = [base.join(name), PathBuf::from(name)];
    folders
        .into_iter()
        .find(|folder| folder.join("model_index.json").is_file() || folder.join("unet").is_dir())
        .or_else(|| cached(name))
        .map(ModelSource::Folder)
        .ok_or_else(|| NoModel { name: name.to_owned() })
}

/// Every repository in the hub's cache that looks like a model in diffusers layout: name and folder.
pub fn all_cached() -> Vec<(String, PathBuf)> {
    let Ok(entries) = hub_cache().read_dir() else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let folder = entry.ok()?.file_name().into_string().ok()?;
            let name = folder.strip_prefix("models--")?.replacen("--", "/", 1);
            let snapshot = cached(&name)?;
            snapshot.join("model_index.json").is_file().then_some((name, snapshot))
        })
        .collect();
    found.sort();
    found
}

/// The snapshot of a repository's main branch, or of `name@revision`, as huggingface_hub lays out its cache.
fn cached(name: &str) -> Option<PathBuf> {
    let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
    let repository = hub_cache().join(format!("models--{}", name.replace('/', "--")));
    let commit = std::fs::read_to_string(repository.join("refs").join(revision));
    let commit = commit.map_or_else(|_| revision.to_owned(), |commit| commit.trim().to_owned());
    Some(repository.join("snapshots").join(commit)).filter(|folder| folder.is_dir())
}

/// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`.
fn hub_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("HF_HUB_CACHE").unwrap_or_else(|| {
        let home = variable("HF_HOME").unwrap_or_else(|| {
            let cache = variable("XDG_CACHE_HOME")
                .unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache"));
            cache.join("huggingface")
        });
        home.join("hub")
    })
}

fn download_hint(name: &str) -> String {
    let looks_like_a_repository = name.matches('/').count() == 1 && !name.starts_with(['.', '/']);
    match looks_like_a_repository {
        true => format!("\n\nTo get it: hf download {name}"),
        false => String::new(),
    }
}
