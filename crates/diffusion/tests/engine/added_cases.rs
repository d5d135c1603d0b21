//! The fixtures' runs with LoRAs and textual inversions, as cells.

use crate::cases::{Case, fixtures};
use maquette_core::{Digest, Embedding, Lora, NamedFile, Settings};
use serde::Deserialize;

/// A run of diffusers with LoRAs or textual inversions.
#[derive(Deserialize)]
pub struct Added {
    #[serde(flatten)]
    pub case: Case,
    #[serde(default)]
    loras: Vec<(String, f64)>,
    #[serde(default)]
    files: Vec<(String, Option<String>)>,
}

/// A file of a folder, which need not exist, under its name alone.
pub fn named(folder: &str, file: &str) -> NamedFile {
    let path = fixtures().join(folder).join(file);
    let digest = Digest::of(&std::fs::read(&path).unwrap_or_default());
    NamedFile { path: file.into(), file: path.into(), digest }
}

/// The runs of a folder: `lora` or `embeddings`.
pub fn added(folder: &str) -> Vec<Added> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Added>,
    }
    let text = std::fs::read_to_string(fixtures().join(folder).join("cases.json")).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

impl Added {
    pub fn settings(&self) -> Settings {
        let lora = self.loras.iter().map(|(file, weight)| Lora::new(named("lora", file), *weight));
        let embeddings = self.files.iter().map(|(file, word)| Embedding {
            word: word.as_deref().map(Into::into),
            file: named("embeddings", file),
        });
        Settings { lora: lora.collect(), embeddings: embeddings.collect(), ..self.case.cell().settings }
    }
}
