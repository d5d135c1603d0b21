//! Where the tensors of a LoRA are: one safetensors file, or a folder as peft and diffusers save it, with peft's
//! configuration.
//!
//! Not here: what the tensors mean.

use super::error::LoraError;
use super::peft::Alphas;
use crate::weights::small_file;
use maquette_core::Digest;
use maquette_files::limits;
use std::path::{Path, PathBuf};

/// Peft's names of an adapter's tensors and of its configuration.
const PEFT: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";
/// Diffusers' name of a LoRA's tensors.
const DIFFUSERS: &str = "pytorch_lora_weights.safetensors";
/// The parts of a model, each of which may have a folder with its own adapter.
const PARTS: [&str; 5] = ["unet", "transformer", "text_conditioner", "text_encoder", "text_encoder_2"];
/// Where diffusers keeps peft's configuration in a file's header.
const HEADER: &str = "lora_adapter_metadata";
/// What peft puts before the name of a module.
pub(super) const PREFIX: &str = "base_model.model.";

/// One file of a LoRA.
pub(super) struct AdapterFile {
    /// Its path.
    pub path: PathBuf,
    /// The part of the model that it changes, if its folder says so.
    pub part: Option<&'static str>,
}

/// The files of a LoRA, which may be a folder.
pub(super) fn files(path: &Path) -> Result<Vec<AdapterFile>, LoraError> {
    let one = |path: PathBuf| vec![AdapterFile { path, part: None }];
    if !path.is_dir() {
        return Ok(one(path.to_owned()));
    }
    if let Some(file) = [PEFT, DIFFUSERS].map(|name| path.join(name)).into_iter().find(|file| file.is_file())
    {
        return Ok(one(file));
    }
    let parts = PARTS.iter().map(|part| AdapterFile { path: path.join(part).join(PEFT), part: Some(*part) });
    let parts: Vec<AdapterFile> = parts.filter(|file| file.path.is_file()).collect();
    if !parts.is_empty() {
        return Ok(parts);
    }
    let mut others: Vec<PathBuf> =
        path.read_dir().into_iter().flatten().flatten().map(|it| it.path()).collect();
    others.retain(|file| file.extension().is_some_and(|ending| ending == "safetensors"));
    match others.pop() {
        Some(file) if others.is_empty() => Ok(one(file)),
        _ => Err(LoraError::Folder { folder: path.display().to_string() }),
    }
}

/// A digest of everything in a LoRA's files that affects its change: of the bytes, if it is a file alone.
pub fn digest(path: &Path) -> Result<Digest, LoraError> {
    let mut digests = Vec::new();
    for AdapterFile { path: file, part } in files(path)? {
        let bytes = small_file::read(&file, limits::WEIGHTS)?;
        digests.push((part.unwrap_or_default(), Digest::of(&bytes)));
        if let Some(config) = config_of(&file, &keys(&file, &bytes)?) {
            digests.push((CONFIG, Digest::of(&small_file::read(&config, limits::CONFIG)?)));
        }
    }
    match digests.as_slice() {
        &[("", digest)] => Ok(digest),
        several => {
            let lines: Vec<String> =
                several.iter().map(|(name, digest)| format!("{name} {digest}")).collect();
            Ok(Digest::of(lines.join("\n").as_bytes()))
        }
    }
}

fn keys(file: &Path, bytes: &[u8]) -> Result<Vec<String>, LoraError> {
    Ok(small_file::keys(&file.display().to_string(), bytes)?)
}

/// Peft's configuration beside a file that is peft's by its name or its keys.
fn config_of(file: &Path, keys: &[String]) -> Option<PathBuf> {
    let is_peft = file.ends_with(PEFT) || keys.iter().any(|key| key.contains(PREFIX));
    let config = file.with_file_name(CONFIG);
    (is_peft && config.is_file()).then_some(config)
}

/// The alphas of a file with these keys. `metadata` is its header's.
pub(super) fn alphas(
    file: &Path,
    keys: &[String],
    metadata: &std::collections::HashMap<String, String>,
) -> Result<Alphas, LoraError> {
    let name = file.display().to_string();
    if let Some(text) = metadata.get(HEADER) {
        return Alphas::parse(&name, HEADER, text, true);
    }
    if let Some(config) = config_of(file, keys) {
        let text = String::from_utf8_lossy(&small_file::read(&config, limits::CONFIG)?).into_owned();
        return Alphas::parse(&config.display().to_string(), CONFIG, &text, false);
    }
    // Some trainers write peft's names together with alphas.
    let mut peft = keys.iter().filter(|key| key.contains(PREFIX)).peekable();
    match peft.peek() {
        Some(key) if !keys.iter().any(|key| key.ends_with(".alpha")) => {
            Err(LoraError::NoConfig { file: name, key: (*key).clone() })
        }
        _ => Ok(Alphas::default()),
    }
}
