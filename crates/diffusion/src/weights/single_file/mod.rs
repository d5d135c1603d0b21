//! One checkpoint file with LDM's names, presented as a folder in diffusers' layout.
//!
//! The weights are looked up in the file by rule (`names.rs`); the configurations are inferred from the shapes
//! (`infer.rs`) and from what the file states (`stated.rs`); the tokenizer is CLIP's own. A folder next to the checkpoint with its name, `model/` next to
//! `model.safetensors`, may contain parts of diffusers' layout without weights, which take precedence. Not here: pickles.

mod controlnet;
mod controlnet_names;
mod infer;
mod names;
mod qwen_image_names;
mod stated;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_controlnet;
mod vocabulary;

use crate::error::ModelError;
use crate::weights::content::{Content, map_file};
use crate::weights::header::Header;
pub(crate) use infer::FlowVae;
use infer::Kind;
use maquette_files::limits;
pub(crate) use names::{Part, Place, is_spare_in_text_encoder, is_spare_in_vae};
use stated::Stated;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A checkpoint file whose header was read and recognised.
#[derive(Debug)]
pub struct Checkpoint {
    file: PathBuf,
    /// The parts of the model by their folder in diffusers' layout.
    parts: BTreeMap<&'static str, Part>,
    /// The other files of diffusers' layout, inferred.
    files: BTreeMap<&'static str, Vec<u8>>,
    /// The folder of files that replace the inferred ones.
    overrides: PathBuf,
    /// LDM's configuration beside the file, if there is one.
    yaml: Option<PathBuf>,
    kind: Kind,
    stated: Stated,
}

impl Checkpoint {
    /// Reads a checkpoint's header. Fails if it is not a safetensors file or not a kind of Stable Diffusion.
    pub(crate) fn open(file: &Path) -> Result<Checkpoint, ModelError> {
        let name = file.display().to_string();
        let content = map_file(file)?;
        let header =
            Header::read(&content).map_err(|reason| ModelError::Weights { file: name.clone(), reason })?;
        let kind = infer::kind(&header).map_err(|reason| ModelError::Checkpoint { file: name, reason })?;
        let yaml = Some(file.with_extension("yaml")).filter(|yaml| yaml.is_file());
        let stated = Stated::read(
            &header,
            read_yaml(yaml.as_deref())?.as_ref().map(|(name, text)| (&**name, &**text)),
        );
        let unet = infer::unet_part(&header);
        let vae = infer::vae_part(&header);
        let texts = infer::text_parts(&header, kind);

        let mut files = BTreeMap::new();
        let mut add = |name, value: serde_json::Value| files.insert(name, value.to_string().into_bytes());
        add("unet/config.json", infer::unet(&header, kind, &unet, &stated));
        add("vae/config.json", infer::vae(&header, kind, &vae));
        add("scheduler/scheduler_config.json", infer::scheduler(kind, &stated));
        let places = [
            ("text_encoder", "text_encoder/config.json", "tokenizer/special_tokens_map.json"),
            ("text_encoder_2", "text_encoder_2/config.json", "tokenizer_2/special_tokens_map.json"),
        ];
        let mut parts = BTreeMap::from([("unet", unet)]);
        if !matches!(vae, Part::Vae { levels: 0, .. }) {
            parts.insert("vae", vae);
        }
        for ((folder, config, special_tokens), part) in places.into_iter().zip(texts) {
            if let Some(key) = infer::missing_text_encoder(&header, &part) {
                let reason = format!("it has no tensor `{key}`, so it has no {folder}");
                return Err(ModelError::Checkpoint { file: file.display().to_string(), reason });
            }
            let padding = if matches!(part, Part::OpenClip { .. }) { "!" } else { vocabulary::END };
            add(config, infer::text_encoder(&header, &part));
            add(special_tokens, infer::special_tokens(padding));
            parts.insert(folder, part);
        }
        for (words, merges) in [
            ("tokenizer/vocab.json", "tokenizer/merges.txt"),
            ("tokenizer_2/vocab.json", "tokenizer_2/merges.txt"),
        ] {
            if kind == Kind::Xl || words.starts_with("tokenizer/") {
                files.insert(words, vocabulary::words());
                files.insert(merges, vocabulary::MERGES.as_bytes().to_vec());
            }
        }
        let overrides = file.with_extension("");
        Ok(Checkpoint { file: file.to_owned(), parts, files, overrides, yaml, kind, stated })
    }

    /// LDM's configuration beside the file, which may state what the model predicts.
    pub(crate) fn yaml(&self) -> Option<&Path> {
        self.yaml.as_deref().filter(|_| !self.has_own_scheduler())
    }

    /// Whether the folder next to the file has the scheduler's configuration, so that the file's statements do not count.
    fn has_own_scheduler(&self) -> bool {
        self.overrides.join("scheduler").is_dir()
    }

    /// Whether the file's statements change the schedule that its shapes suggest.
    pub(crate) fn is_restated(&self) -> bool {
        let silent = infer::scheduler(self.kind, &Stated::default());
        !self.has_own_scheduler() && infer::scheduler(self.kind, &self.stated) != silent
    }

    /// What the file states about its schedule; each a sentence without its full stop.
    pub(crate) fn notes(&self) -> Vec<String> {
        if self.has_own_scheduler() {
            let folder = self.overrides.join("scheduler").display().to_string();
            let ignored = |note: String| format!("{note}, but {folder} overrules it");
            return self.stated.notes().into_iter().map(ignored).collect();
        }
        self.stated.notes()
    }

    /// What the file does not state although its kind leaves it open, as a sentence without its full stop.
    pub(crate) fn open_question(&self) -> Option<&'static str> {
        let open = self.kind == Kind::Sd2 && self.stated.predictions.is_empty() && !self.has_own_scheduler();
        open.then_some(
            "the file does not state whether it predicts velocity; `prediction_type` v_prediction is assumed, as by \
             diffusers for every checkpoint of Stable Diffusion 2; set `prediction_type = \"epsilon\"` for a model made \
             from 2-base",
        )
    }

    /// The checkpoint itself.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The part of the model whose weights diffusers keeps in a file of that name, if there is one.
    pub(crate) fn weights(&self, file: &str) -> Option<&Part> {
        if file.ends_with(".safetensors") { self.parts.get(folder(file)) } else { None }
    }

    /// Whether there is a file of that name, in the checkpoint or in the folder next to it.
    pub(crate) fn has(&self, file: &str) -> bool {
        match self.replacement(file) {
            Some(path) => path.is_file(),
            None => self.files.contains_key(file) || self.weights(file).is_some(),
        }
    }

    /// The name of a file in messages.
    pub(crate) fn file_name(&self, file: &str) -> String {
        match self.replacement(file) {
            Some(path) => path.display().to_string(),
            None if self.weights(file).is_some() => self.file.display().to_string(),
            None => format!("{} (from the shapes in {})", file, self.file.display()),
        }
    }

    /// The content of a file; `None` if there is none.
    pub(crate) fn open_file(&self, file: &str) -> Result<Option<Content>, ModelError> {
        if let Some(path) = self.replacement(file) {
            return if path.is_file() { map_file(&path).map(Some) } else { Ok(None) };
        }
        if self.weights(file).is_some() {
            return map_file(&self.file).map(Some);
        }
        Ok(self.files.get(file).map(|bytes| Content::Owned(bytes.clone())))
    }

    /// The path of a file if the folder next to the checkpoint has its part. Weights are never replaced.
    fn replacement(&self, file: &str) -> Option<PathBuf> {
        let replaced = self.weights(file).is_none() && self.overrides.join(folder(file)).is_dir();
        replaced.then(|| self.overrides.join(file))
    }
}

/// The configuration of a ControlNet in one file, and the naming of its tensors; an error says what is missing.
pub(crate) fn controlnet_in(header: &Header) -> Result<(serde_json::Value, Part), String> {
    let part = controlnet::part(header)?;
    Ok((controlnet::config(header, &part)?, part))
}

/// The name and the content of LDM's configuration; `None` if it is too large to be one.
fn read_yaml(path: Option<&Path>) -> Result<Option<(String, String)>, ModelError> {
    let Some(path) = path else { return Ok(None) };
    let read = |source| ModelError::Read { file: path.display().to_string(), source };
    if path.metadata().map_err(read)?.len() > limits::YAML.bytes {
        return Ok(None);
    }
    let bytes = maquette_files::read(path, limits::YAML).map_err(read)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some((name, String::from_utf8_lossy(&bytes).into_owned())))
}

/// The part of a model that a file belongs to: the first folder of its path.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap_or_default()
}

/// The configuration of the autoencoder of a model that predicts flow.
pub(crate) fn flow_vae(header: &Header, part: Option<&Part>, kind: FlowVae) -> serde_json::Value {
    infer::flow_vae(header, part, kind)
}

/// The files of CLIP's tokenizer, by their names in its folder; `padding` is what fills prompts up.
pub(crate) fn clip_tokenizer(padding: Padding) -> [(&'static str, Vec<u8>); 3] {
    let padding = match padding {
        Padding::End => vocabulary::END,
        Padding::Zero => "!",
    };
    [
        ("vocab.json", vocabulary::words()),
        ("merges.txt", vocabulary::MERGES.as_bytes().to_vec()),
        ("special_tokens_map.json", infer::special_tokens(padding).to_string().into_bytes()),
    ]
}

/// What fills CLIP's prompts up.
#[derive(Clone, Copy)]
pub(crate) enum Padding {
    /// The end token.
    End,
    /// "!", whose id is 0: OpenCLIP's models were trained with zeros after the end token.
    Zero,
}

/// The tensors of an autoencoder's own file, if they have LDM's names or Wan's.
pub(crate) fn vae_in(header: &Header) -> Option<Part> {
    let part = infer::vae_part(header);
    if let Some(part) = infer::qwen_image_vae_part(header, part.prefix()) {
        return Some(part);
    }
    let probe = format!("{}decoder.up.0.block.0.conv1.weight", part.prefix());
    header.contains_key(&probe).then_some(part)
}
