//! `maquette models`: what is bundled, and what other tools have put into the hub's cache.

use crate::models;
use crate::output::{self, Outcome};
use maquette_diffusion::{ModelSource, card};
use std::path::Path;

pub fn models() -> Outcome {
    let size: usize = maquette_sketchbook::FILES.iter().map(|(_, bytes)| bytes.len()).sum();
    let bundled = ModelSource::Bytes(maquette_sketchbook::FILES);
    let mut rows = vec![row(maquette_sketchbook::NAME, &bundled, size as u64, maquette_sketchbook::ABOUT)];
    for (name, folder) in models::all_cached() {
        let size = bytes_in(&folder);
        rows.push(row(&name, &ModelSource::Folder(folder.clone()), size, &folder.display().to_string()));
    }
    output::print(&output::table(&["model", "size", "pixels", "fingerprint", ""], rows))
}

fn row(name: &str, source: &ModelSource, bytes: u64, about: &str) -> Vec<String> {
    let size = indicatif::HumanBytes(bytes).to_string();
    match card(source) {
        Ok(card) => {
            let pixels = format!("{}x{}", card.size.0, card.size.1);
            vec![name.to_owned(), size, pixels, card.fingerprint.short(), about.to_owned()]
        }
        Err(error) => vec![name.to_owned(), size, String::new(), String::new(), error.to_string()],
    }
}

/// The bytes of all files below a folder; links are followed, as the hub's cache is made of them.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    entries
        .flatten()
        .map(|entry| match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
