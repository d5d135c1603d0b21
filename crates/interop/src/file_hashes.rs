//! The SHA-256 hashes by which A1111 and model sites know weight files. Maquette itself goes by BLAKE3.
//!
//! Deliberately not here: reading files.

use maquette_core::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The SHA-256 hashes of one file, as lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sha256 {
    /// Of the whole file: A1111's `Model hash`, Civitai's AutoV2.
    pub file: String,
    /// Of the tensors of a safetensors file, without its header, if it was computed: A1111's hash of a LoRA, Civitai's AutoV3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<String>,
}

/// The hashes of the files that cells name, by Maquette's digests of them. Files may be missing: a model in a folder has no
/// file of its own, and the bundled one is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileHashes(BTreeMap<Digest, Sha256>);

impl FileHashes {
    /// Adds the hashes of a file with that digest, or of the model with that fingerprint.
    pub fn insert(&mut self, digest: Digest, hashes: Sha256) {
        self.0.insert(digest, hashes);
    }

    /// The hashes of the file with that digest.
    pub fn get(&self, digest: &Digest) -> Option<&Sha256> {
        self.0.get(digest)
    }
}

impl Sha256 {
    /// The ten digits by which A1111 and Civitai know a model.
    pub(crate) fn short(&self) -> &str {
        start(&self.file, 10)
    }

    /// The twelve digits by which A1111 knows a LoRA.
    pub(crate) fn lora(&self) -> &str {
        start(self.tensors.as_ref().unwrap_or(&self.file), 12)
    }

    /// The twelve digits by which A1111 knows a textual inversion.
    pub(crate) fn embedding(&self) -> &str {
        start(&self.file, 12)
    }
}

fn start(hash: &str, digits: usize) -> &str {
    hash.get(..digits).unwrap_or(hash)
}
