//! Finds the file of a LoRA or a textual inversion by its name.
//!
//! Does not check the content, except for LoRAs of kinds that no model can use.

use crate::error::with_causes;
use maquette_core::{Digest, FoundFile, WeightsKind};
use maquette_diffusion::{check_lora, lora_digest};
use maquette_files::limits;
use maquette_planner::{AssetError, did_you_mean};
use maquette_store::trained_weights;
use std::path::{Path, PathBuf};

/// Finds a file by its name, as [`locate`] does, and reads it.
pub(crate) fn find(kind: WeightsKind, name: &str, base: &Path) -> Result<FoundFile, AssetError> {
    let wrong = |message: String| AssetError { message, help: None };
    let file = locate(kind, name, base)?;
    if kind == WeightsKind::Lora {
        // So that nothing is rendered before a bad one is found.
        check_lora(&file).map_err(|error| wrong(with_causes(&error)))?;
    }
    let digest = match trained_weights(&file) {
        Some(digest) => digest,
        None if kind == WeightsKind::Lora => {
            lora_digest(&file).map_err(|error| wrong(with_causes(&error)))?
        }
        None => {
            let bytes = maquette_files::read(&file, limits::WEIGHTS);
            Digest::of(&bytes.map_err(|error| wrong(format!("{}: {error}", file.display())))?)
        }
    };
    Ok(FoundFile { digest, file })
}

/// Whether a file, or the folder of a LoRA, has that content.
pub(crate) fn has_digest(file: &Path, digest: &Digest) -> bool {
    maquette_files::read(file, limits::WEIGHTS).is_ok_and(|bytes| Digest::of(&bytes) == *digest)
        || lora_digest(file).is_ok_and(|found| found == *digest)
}

/// The file of a name as written: in `base`, the experiment file's folder, or in the folder of its kind there, with or
/// without its extension. A LoRA or a ControlNet may be a folder, if there is no file of that name.
pub(crate) fn locate(kind: WeightsKind, name: &str, base: &Path) -> Result<PathBuf, AssetError> {
    let folders = [WeightsKind::Lora, WeightsKind::ControlNet, WeightsKind::ImageEncoder];
    let may_be_folder = folders.contains(&kind);
    let is_it = |file: &PathBuf| file.is_file() || (may_be_folder && file.is_dir());
    let mut files = candidates(kind, name, base).into_iter().filter(is_it);
    let found = files.next();
    // A folder may have the name of a file without its extension.
    let file = found.as_ref().filter(|found| found.is_dir()).and_then(|_| files.find(|file| file.is_file()));
    file.or(found).ok_or_else(|| missing(kind, name, base))
}

/// The folder beside the experiment, and the extensions that may be left out.
fn conventions(kind: WeightsKind) -> (&'static str, &'static [&'static str]) {
    match kind {
        WeightsKind::Lora => ("loras", &["safetensors"]),
        WeightsKind::Embedding => ("embeddings", &["safetensors", "pt", "bin"]),
        WeightsKind::Vae => ("vae", &["safetensors"]),
        WeightsKind::ControlNet => ("controlnet", &["safetensors"]),
        // The encoder usually lies near its adapter.
        WeightsKind::IpAdapter | WeightsKind::ImageEncoder => ("ip_adapter", &["safetensors"]),
    }
}

/// Where a file of that name may be: as written, in the folder of its kind, with each extension of its kind.
pub(crate) fn candidates(kind: WeightsKind, name: &str, base: &Path) -> Vec<PathBuf> {
    let (folder, endings) = conventions(kind);
    let mut candidates = Vec::new();
    for path in [base.join(name), base.join(folder).join(name)] {
        candidates.push(path.clone());
        // Appended, not replaced: `style-v1.5` has no extension.
        candidates.extend(endings.iter().map(|ending| {
            let mut path = path.clone().into_os_string();
            path.push(format!(".{ending}"));
            PathBuf::from(path)
        }));
    }
    candidates
}

/// The error that there is no such file, with the places searched and the nearest name.
fn missing(kind: WeightsKind, name: &str, base: &Path) -> AssetError {
    let (folder, endings) = conventions(kind);
    let here = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let article = if kind.as_str().starts_with(['e', 'i']) { "an" } else { "a" };
    let message = format!(
        "there is no {} called `{name}`: looked in {} and {}, as written and with .{}",
        kind.as_str(),
        here.display(),
        here.join(folder).display(),
        endings.join(", .")
    );
    let mut known: Vec<String> = [here.to_owned(), here.join(folder)]
        .iter()
        .filter_map(|folder| folder.read_dir().ok())
        .flat_map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()))
        .filter(|file| endings.iter().any(|ending| file.ends_with(&format!(".{ending}"))))
        .collect();
    known.sort();
    let stems = known.iter().filter_map(|file| Some(file.rsplit_once('.')?.0));
    let near = did_you_mean(name, stems.chain(known.iter().map(String::as_str)));
    let help = near.unwrap_or_else(|| {
        format!(
            "put {article} {} file into `{folder}/` beside the experiment, or write its path",
            kind.as_str()
        )
    });
    AssetError { message, help: Some(help) }
}
