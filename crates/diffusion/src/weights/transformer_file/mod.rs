//! A transformer in a file of its own, as ComfyUI keeps them, presented as a folder in diffusers' layout together with the
//! other files of its model: the text encoder and the autoencoder, each a file under its published name, and the tokenizer.
//!
//! They are looked for in the folder next to the file with its name (`model/` next to `model.safetensors`), where parts in
//! diffusers' layout come first; beside the file; and in ComfyUI's neighbouring folders. Configurations are inferred from the
//! shapes. Not here: the names of the tensors (`single_file/names.rs`).

use crate::error::ModelError;
use crate::weights::content::{Content, map_file};
use crate::weights::header::Header;
use crate::weights::single_file::{Part, flow_vae, vae_in};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// ComfyUI's prefix of a transformer in a file with other parts.
const PREFIX: &str = "model.diffusion_model.";
const TRANSFORMER: &str = "transformer/diffusion_pytorch_model.safetensors";
const TEXT: &str = "text_encoder/model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";
const TOKENIZER: &str = "tokenizer/tokenizer.json";

/// A file that the transformer needs.
struct Needed {
    /// Its name in diffusers' layout, and its folder there.
    name: &'static str,
    part: &'static str,
    /// Its published name, and ComfyUI's folder for it.
    file: &'static str,
    folder: &'static str,
    /// Where people get it.
    from: &'static str,
}

/// What Z-Image's transformer needs.
const Z_IMAGE: [Needed; 3] = [
    Needed {
        name: TEXT,
        part: "text_encoder",
        file: "qwen_3_4b.safetensors",
        folder: "text_encoders",
        from: "split_files/text_encoders of Comfy-Org/z_image_turbo",
    },
    Needed {
        name: VAE,
        part: "vae",
        file: "ae.safetensors",
        folder: "vae",
        from: "split_files/vae of Comfy-Org/z_image_turbo",
    },
    Needed {
        name: TOKENIZER,
        part: "tokenizer",
        file: "tokenizer.json",
        folder: "tokenizer",
        from: "tokenizer of Tongyi-MAI/Z-Image-Turbo",
    },
];

/// A transformer's file with the other files of its model.
#[derive(Debug)]
pub struct TransformerFile {
    file: PathBuf,
    part: Part,
    vae: Option<Part>,
    /// Files on disk by their names in diffusers' layout.
    paths: BTreeMap<&'static str, PathBuf>,
    /// Inferred ones.
    made: BTreeMap<&'static str, Vec<u8>>,
    /// The folder with parts in diffusers' layout.
    beside: PathBuf,
}

impl TransformerFile {
    /// Opens the file if its header is that of a transformer alone, and finds the others. Fails if one is missing.
    pub(crate) fn open(file: &Path, header: &Header) -> Result<Option<TransformerFile>, ModelError> {
        let Some(prefix) = ["", PREFIX].into_iter().find(|prefix| is_z_image(header, prefix)) else {
            return Ok(None);
        };
        let beside = file.with_extension("");
        let mut paths = BTreeMap::from([(TRANSFORMER, file.to_owned())]);
        let mut missing = Vec::new();
        for needed in &Z_IMAGE {
            if beside.join(needed.part).is_dir() {
                continue;
            }
            match find(file, &beside, needed) {
                Some(path) => _ = paths.insert(needed.name, path),
                None => missing.push(format!("{} (in {})", needed.file, needed.from)),
            }
        }
        if !missing.is_empty() {
            let (file, missing) = (file.display().to_string(), missing.join(", "));
            return Err(ModelError::Alone { file, what: "the transformer of Z-Image alone", missing });
        }
        let mut made = BTreeMap::from([("scheduler/scheduler_config.json", scheduler())]);
        made.insert("transformer/config.json", transformer(header, prefix));
        let read = |path: &Path| {
            let weights = |reason| ModelError::Weights { file: path.display().to_string(), reason };
            Header::read(&map_file(path)?).map_err(weights)
        };
        let mut vae = None;
        if let Some(path) = paths.get(TEXT) {
            made.insert("text_encoder/config.json", text_encoder(&read(path)?));
        }
        if let Some(path) = paths.get(VAE) {
            let header = read(path)?;
            vae = vae_in(&header);
            made.insert("vae/config.json", flow_vae(&header, vae.as_ref()));
        }
        let made = made.into_iter().map(|(name, value)| (name, value.to_string().into_bytes())).collect();
        let part = Part::ZImage { prefix: prefix.to_owned() };
        Ok(Some(TransformerFile { file: file.to_owned(), part, vae, paths, made, beside }))
    }

    /// The transformer's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The path of a file; `None` if it is inferred or missing.
    pub(crate) fn path(&self, file: &str) -> Option<PathBuf> {
        let folder = file.split('/').next().unwrap_or_default();
        if file != TRANSFORMER && self.beside.join(folder).is_dir() {
            return Some(self.beside.join(file));
        }
        self.paths.get(file).cloned()
    }

    /// Whether there is a file of that name.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.path(file).map_or_else(|| self.made.contains_key(file), |path| path.is_file())
    }

    /// The name of a file in messages.
    pub(crate) fn file_name(&self, file: &str) -> String {
        match self.path(file) {
            Some(path) => path.display().to_string(),
            None => format!("{file} (from the shapes in {})", self.file.display()),
        }
    }

    /// The content of a file; `None` if there is none.
    pub(crate) fn open_file(&self, file: &str) -> Result<Option<Content>, ModelError> {
        match self.path(file) {
            Some(path) if path.is_file() => map_file(&path).map(Some),
            Some(_) => Ok(None),
            None => Ok(self.made.get(file).map(|bytes| Content::Owned(bytes.clone()))),
        }
    }

    /// The naming of a weight file's tensors, if it is not diffusers'.
    pub(crate) fn part(&self, file: &str) -> Option<&Part> {
        match file {
            TRANSFORMER => Some(&self.part),
            VAE if self.paths.contains_key(VAE) => self.vae.as_ref(),
            _ => None,
        }
    }
}

fn find(file: &Path, beside: &Path, needed: &Needed) -> Option<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let places = [
        beside.join(needed.file),
        folder.join(needed.file),
        folder.join(needed.folder).join(needed.file),
        folder.join("..").join(needed.folder).join(needed.file),
    ];
    places.into_iter().find(|path| path.is_file())
}

/// Whether the tensors are those of Z-Image's transformer in its original names.
fn is_z_image(header: &Header, prefix: &str) -> bool {
    ["cap_embedder.1.weight", "noise_refiner.0.attention.qkv.weight", "cap_pad_token"]
        .iter()
        .all(|name| header.contains_key(&format!("{prefix}{name}")))
}

/// One more than the largest number that follows `prefix`.
fn count(header: &Header, prefix: &str) -> usize {
    let number = |key: &String| key.strip_prefix(prefix)?.split('.').next()?.parse::<u8>().ok();
    header.keys().filter_map(number).max().map_or(0, |largest| usize::from(largest) + 1)
}

/// The configuration of Z-Image-Turbo's scheduler.
fn scheduler() -> Value {
    json!({
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 3.0,
        "use_dynamic_shifting": false,
    })
}

fn transformer(header: &Header, prefix: &str) -> Value {
    let length = |name: &str, axis: usize| header.length(&format!("{prefix}{name}"), axis).unwrap_or(0);
    let (width, depth) = (length("x_embedder.weight", 0), length("layers.0.attention.q_norm.weight", 0));
    let heads = width.checked_div(depth).unwrap_or(0);
    json!({
        "_class_name": "ZImageTransformer2DModel",
        "in_channels": length("x_embedder.weight", 1) / 4,
        "dim": width,
        "n_layers": count(header, &format!("{prefix}layers.")),
        "n_refiner_layers": count(header, &format!("{prefix}noise_refiner.")),
        "n_heads": heads,
        "n_kv_heads": heads,
        "cap_feat_dim": length("cap_embedder.1.weight", 1),
        // Those of the published model, in proportion.
        "axes_dims": [depth / 4, depth * 3 / 8, depth * 3 / 8],
        "axes_lens": [1536, 512, 512],
    })
}

fn text_encoder(header: &Header) -> Value {
    let prefix = if header.contains_key("model.embed_tokens.weight") { "model." } else { "" };
    let length = |name: &str, axis: usize| header.length(&format!("{prefix}{name}"), axis).unwrap_or(0);
    let depth = length("layers.0.self_attn.q_norm.weight", 0);
    let heads = |name: &str| length(name, 0).checked_div(depth).unwrap_or(0);
    json!({
        "architectures": ["Qwen3Model"],
        "head_dim": depth,
        "hidden_size": length("embed_tokens.weight", 1),
        "intermediate_size": length("layers.0.mlp.gate_proj.weight", 0),
        "num_attention_heads": heads("layers.0.self_attn.q_proj.weight"),
        "num_hidden_layers": count(header, &format!("{prefix}layers.")),
        "num_key_value_heads": heads("layers.0.self_attn.k_proj.weight"),
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "vocab_size": length("embed_tokens.weight", 0),
    })
}
