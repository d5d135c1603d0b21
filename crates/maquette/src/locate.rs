//! Where the weight files of a run are now.
//!
//! A run keeps their names and digests. They are looked for where the experiment would look, then around the run.

use crate::assets::weights;
use crate::recreate::NearbyFiles;
use maquette_core::{Digest, FoundFile, Plan, WeightsKind};
use maquette_diffusion::{ControlNetFiles, ImageEncoderFolder, SeparateVae};
use maquette_store::Run;
use std::path::{Path, PathBuf};

/// Finds every weight file of a run's plan by its content. Returns the files that were not found or have changed, each as a
/// sentence without its full stop.
pub(crate) fn locate(run: &Run, plan: &mut Plan, current: Option<&Path>) -> Vec<String> {
    let nearby = NearbyFiles::around(&run.dir().join("plan.json"), current);
    let mut missing = Vec::new();
    for (key, found) in &mut plan.weights {
        let Some((kind, name)) = WeightsKind::of_key(key) else { continue };
        match place(kind, name, &found.digest, &nearby) {
            Some(file) => *found = FoundFile { file, digest: found.digest },
            None => missing.push(format!(
                "the {} `{name}` with the digest {}… was not found; it was moved, removed or changed",
                kind.as_str(),
                found.digest.short()
            )),
        }
    }
    for training in &mut plan.trainings {
        training.folder = maquette_store::trained_beside(run);
    }
    missing
}

/// The file with that name and content.
fn place(kind: WeightsKind, name: &str, digest: &Digest, nearby: &NearbyFiles) -> Option<PathBuf> {
    let is_it = |file: &PathBuf| match kind {
        WeightsKind::Vae => SeparateVae::digest(file).is_ok_and(|found| found == *digest),
        WeightsKind::ControlNet => ControlNetFiles::digest(file).is_ok_and(|found| found == *digest),
        WeightsKind::ImageEncoder => ImageEncoderFolder::at(file)
            .and_then(|folder| folder.digest())
            .is_ok_and(|found| found == *digest),
        _ => weights::has_digest(file, digest),
    };
    let named = nearby.bases().iter().flat_map(|base| weights::candidates(kind, name, base));
    let by_name = named.filter(|file| file.exists()).find(is_it);
    by_name.or_else(|| nearby.file(name, Some(digest)).map(PathBuf::from))
}
