//! The SHA-256 hashes of the files that an experiment names, by which A1111 and model sites know them.
//!
//! They are computed only for files that have not changed since the last time; see `.fingerprints.json`. A file that cannot
//! be read has no hash: the engine reports it.

use crate::assets::models;
use maquette_core::{Plan, WeightsKind};
use maquette_diffusion::ModelSource;
use maquette_hub::Environment;
use maquette_interop::{FileHashes, Sha256};
use maquette_store::{Runs, Stamp};
use sha2::Digest as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The hashes of the checkpoints and weight files of a plan. A model in a folder has no file of its own, and none is given.
pub(crate) fn of_plan(plan: &Plan, base: &Path, hub: &Environment, runs: &Runs) -> FileHashes {
    let mut hashes = FileHashes::default();
    for (name, card) in &plan.models {
        if let Some(found) = checkpoint(name, base, hub).and_then(|file| cached(&file, false, runs)) {
            hashes.insert(card.fingerprint, found);
        }
    }
    for (key, found) in &plan.weights {
        let lora = WeightsKind::of_key(key).is_some_and(|(kind, _)| kind == WeightsKind::Lora);
        if let Some(sha256) = cached(&found.file, lora, runs) {
            hashes.insert(found.digest, sha256);
        }
    }
    hashes
}

/// The file of a model that is one.
fn checkpoint(name: &str, base: &Path, hub: &Environment) -> Option<PathBuf> {
    match models::find(name, base, hub).ok()? {
        ModelSource::Checkpoint(checkpoint) => Some(checkpoint.file().to_owned()),
        ModelSource::Transformer(transformer) => Some(transformer.file().to_owned()),
        _ => None,
    }
}

fn cached(file: &Path, tensors: bool, runs: &Runs) -> Option<Sha256> {
    if !file.is_file() {
        return None;
    }
    let stamp = || Stamp::of(&[file.to_owned()]);
    let before = stamp();
    let known = before.as_ref().and_then(|stamp| runs.sha256(stamp));
    if let Some(known) = known.filter(|known| known.tensors.is_some() || !tensors) {
        return Some(known);
    }
    let found = hash(file, tensors).ok()?;
    if let Some(unchanged) = before.filter(|before| stamp().as_ref() == Some(before)) {
        // Hashes that cannot be saved are computed again next time.
        let _ = runs.remember_sha256(&unchanged, found.clone());
    }
    Some(found)
}

/// Hashes a file in one pass, with `tensors` also what follows the header of a safetensors file: `u64` bytes of JSON.
///
/// After `calculate_sha256` and `addnet_hash_safetensors` in `modules/hashes.py` of AUTOMATIC1111/stable-diffusion-webui.
fn hash(path: &Path, tensors: bool) -> std::io::Result<Sha256> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut whole, mut data) = (sha2::Sha256::new(), sha2::Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    let mut head = [0; 8];
    let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"));
    let mut skipped = None;
    if tensors && named && length >= 8 {
        file.read_exact(&mut head)?;
        whole.update(head);
        skipped = Some(u64::from_le_bytes(head)).filter(|header| *header <= length - 8);
    }
    let mut header = skipped.unwrap_or(u64::MAX);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        whole.update(&buffer[..read]);
        let of_header = header.min(read as u64);
        header -= of_header;
        data.update(&buffer[of_header as usize..read]);
    }
    let hex = |hasher: sha2::Sha256| hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Sha256 { file: hex(whole), tensors: skipped.map(|_| hex(data)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sha256sum` of the bytes, as `hashlib` prints it.
    fn sha(bytes: &[u8]) -> String {
        sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn files_and_their_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], tensors: Option<&[u8]>| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let expected = Sha256 { file: sha(bytes), tensors: tensors.map(sha) };
            assert_eq!(hash(&path, true).unwrap(), expected, "{name}");
            assert_eq!(hash(&path, false).unwrap(), Sha256 { tensors: None, ..expected }, "{name}");
        };
        let tensors = vec![7; 3 << 20];
        let whole = [&9_u64.to_le_bytes()[..], b"{\"a\": {}}", &tensors].concat();
        check("a.safetensors", &whole, Some(&tensors));
        check("a.pt", &whole, None);
        check("empty.safetensors", &[&2_u64.to_le_bytes()[..], b"{}"].concat(), Some(b""));
        check("torn.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\xff{}", None);
        check("short.safetensors", b"{}", None);
        // SHA-256 of nothing (FIPS 180-4).
        assert!(sha(b"").starts_with("e3b0c44298fc1c14"));
    }

    #[test]
    fn hashes_are_computed_once() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(&folder.path().join("runs")).unwrap();
        let path = folder.path().join("a.safetensors");
        std::fs::write(&path, [&2_u64.to_le_bytes()[..], b"{}x"].concat()).unwrap();
        let stamp = Stamp::of(std::slice::from_ref(&path)).unwrap();
        assert_eq!(cached(&path, false, &runs).unwrap().tensors, None);
        // The tensors were not asked for before.
        let both = cached(&path, true, &runs).unwrap();
        assert_eq!(both.tensors, Some(sha(b"x")));
        assert_eq!(runs.sha256(&stamp), Some(both.clone()));
        let other = Sha256 { file: "0".repeat(64), ..both };
        runs.remember_sha256(&stamp, other.clone()).unwrap();
        assert_eq!(cached(&path, false, &runs), Some(other), "the cache was not used");
        assert_eq!(cached(folder.path(), true, &runs), None);
    }
}
