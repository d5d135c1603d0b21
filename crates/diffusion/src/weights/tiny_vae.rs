//! Files of a tiny autoencoder that are not diffusers' folder: a weight file without its configuration, or the two files of
//! TAESD's authors, `taesd_encoder.safetensors` and `taesd_decoder.safetensors`. They are presented as that folder's.
//!
//! Not here: computing with it (`models/vae/tiny.rs`).

use crate::error::ModelError;
use crate::weights::content::map_file;
use crate::weights::header::Header;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The sides of the autoencoder, and the position of the first layer in its authors' files: their decoder begins with a
/// clamp, which diffusers does not number.
const SIDES: [(&str, usize); 2] = [("encoder", 0), ("decoder", 1)];

/// Whether a file has the tensors of a tiny autoencoder, with diffusers' names.
pub(crate) fn is_tiny(header: &Header) -> bool {
    header.contains_key("decoder.layers.0.weight")
}

/// Whether a file is one of the two of its authors.
pub(crate) fn is_original(header: &Header) -> bool {
    SIDES.iter().any(|(_, first)| {
        let blocks = header.keys().any(|key| key.ends_with(".conv.0.weight"));
        blocks && header.contains_key(&format!("{first}.weight"))
    })
}

/// The files of its authors, encoder and decoder, one of which is at `path`: the other one has the same name but for that
/// word.
pub(crate) fn original_files(path: &Path) -> Result<[PathBuf; 2], ModelError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let files = SIDES.map(|(side, _)| {
        let other = if side == "encoder" { "decoder" } else { "encoder" };
        path.with_file_name(name.replace(other, side))
    });
    match files.iter().find(|file| !file.is_file()) {
        None if files[0] != files[1] => Ok(files),
        missing => Err(ModelError::Missing {
            model: path.display().to_string(),
            file: missing.map_or_else(|| "other file beside it".to_owned(), |file| file.display().to_string()),
            hint: " A tiny autoencoder is `…encoder…` and `…decoder…`, two files with otherwise the same name, or a folder \
                   with its config.json."
                .to_owned(),
        }),
    }
}

/// The weights of both files of its authors as one file with diffusers' names.
pub(crate) fn merged(files: &[PathBuf; 2]) -> Result<Vec<u8>, ModelError> {
    let contents = [map_file(&files[0])?, map_file(&files[1])?];
    let mut tensors = Vec::new();
    for (((side, first), content), file) in SIDES.into_iter().zip(&contents).zip(files) {
        let invalid = |reason: String| ModelError::Weights { file: file.display().to_string(), reason };
        let parsed = SafeTensors::deserialize(content).map_err(|error| invalid(error.to_string()))?;
        for (name, tensor) in parsed.tensors() {
            let layer = name
                .split_once('.')
                .and_then(|(number, rest)| Some((number.parse::<usize>().ok()?.checked_sub(first)?, rest)));
            let Some((number, rest)) = layer else {
                return Err(invalid(format!("it has a tensor `{name}`, which is not in a tiny {side}")));
            };
            tensors.push((format!("{side}.layers.{number}.{rest}"), tensor));
        }
    }
    let invalid = |error: safetensors::SafeTensorError| ModelError::Weights {
        file: files[0].display().to_string(),
        reason: error.to_string(),
    };
    safetensors::serialize(tensors, None).map_err(invalid)
}

/// The configuration of a tiny autoencoder, from the shapes and positions of its layers. The scale of its latents is the
/// published models': 1.
pub(crate) fn config(header: &Header) -> Value {
    let mut config = json!({ "_class_name": "AutoencoderTiny" });
    for (side, _) in SIDES {
        let blocks = blocks(header, side);
        let width = header.length(&format!("{side}.layers.0.weight"), 0);
        config[format!("{side}_block_out_channels")] = json!(vec![width; blocks.len()]);
        config[format!("num_{side}_blocks")] = json!(blocks);
    }
    config["latent_channels"] = json!(header.length("decoder.layers.0.weight", 1));
    config
}

/// How many residual blocks follow each convolution of one side but the last, which ends it.
fn blocks(header: &Header, side: &str) -> Vec<usize> {
    let prefix = format!("{side}.layers.");
    let numbers = header.keys().filter_map(|key| key.strip_prefix(&prefix)?.split('.').next()?.parse().ok());
    let last: usize = numbers.max().unwrap_or(0);
    let mut blocks = Vec::new();
    for number in 0..last {
        let has = |rest: &str| header.contains_key(&format!("{prefix}{number}.{rest}"));
        if has("weight") {
            blocks.push(0);
        } else if has("conv.0.weight")
            && let Some(count) = blocks.last_mut()
        {
            *count += 1;
        }
    }
    blocks
}
