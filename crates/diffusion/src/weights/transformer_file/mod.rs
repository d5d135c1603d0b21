//! A transformer in one file, as ComfyUI keeps them, presented as a folder in diffusers' layout together with the other parts
//! of its model: text encoders and autoencoder, in the same file or each in a file under its published name, and tokenizers.
//!
//! Other files are looked for in the folder next to the file with its name (`model/` next to `model.safetensors`), where parts
//! in diffusers' layout come first; beside the file; and in ComfyUI's neighbouring folders. Configurations are inferred from the
//! shapes, unless that folder has them. Not here: the names of the tensors (`single_file/names.rs`).

mod kinds;
mod named;
mod needed;
mod texts;
mod transformers;

use crate::error::ModelError;
use crate::weights::content::{Content, map_file};
use crate::weights::header::Header;
use crate::weights::llama_names::LlamaCpp;
use crate::weights::original_names::Original;
use crate::weights::single_file::{Padding, Part, clip_tokenizer, flow_vae, vae_in};
use crate::weights::weight_files;
use named::Named;
use needed::{Needed, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub(crate) use texts::IDENTITY_PROJECTION;

const TRANSFORMER: &str = "transformer/diffusion_pytorch_model.safetensors";
/// What the tensors of Anima's text conditioner begin with, in the transformer.
const LLM_ADAPTER: &str = "llm_adapter.";
/// The index of a pipeline, in which FLUX.2 klein says whether it is distilled.
const INDEX: &str = "model_index.json";
/// In the names of files of the FLUX.2 klein that is not distilled.
const BASE: &str = "base";

/// A transformer's file with the other files of its model.
#[derive(Debug)]
pub struct TransformerFile {
    file: PathBuf,
    of: Original,
    /// Files on disk by their names in diffusers' layout.
    paths: BTreeMap<&'static str, PathBuf>,
    /// The naming of their tensors, where it is not that of diffusers or transformers.
    parts: BTreeMap<&'static str, Part>,
    /// Inferred files.
    made: BTreeMap<String, Vec<u8>>,
    /// The folder with parts in diffusers' layout.
    beside: PathBuf,
    /// The files of the text encoder that is left out, if one is.
    left_out: Option<String>,
}

impl TransformerFile {
    /// Opens the file if its header is that of a supported family's transformer, and finds the other parts. Fails if one is
    /// missing, and for families that are recognised but not supported.
    pub(crate) fn open(file: &Path, header: &Header) -> Result<Option<TransformerFile>, ModelError> {
        let found = kinds::find(header)
            .map_err(|reason| ModelError::Checkpoint { file: file.display().to_string(), reason })?;
        let Some((of, prefix)) = found else { return Ok(None) };
        let part = Part::Transformer { prefix: prefix.to_owned(), of };
        let named = Named { header, part: Some(&part) };
        let mut opened = TransformerFile {
            file: file.to_owned(),
            of,
            paths: BTreeMap::from([(TRANSFORMER, file.to_owned())]),
            parts: BTreeMap::new(),
            made: BTreeMap::new(),
            beside: file.with_extension(""),
            left_out: None,
        };
        let config = transformers::transformer(&named, of);
        let text_width = config["joint_attention_dim"].as_u64().unwrap_or(0) as usize;
        opened.make("transformer/config.json", &config);
        opened.make("scheduler/scheduler_config.json", &transformers::scheduler(&named, of));
        if of == Original::Flux2 {
            let index = json!({"_class_name": "Flux2KleinPipeline", "is_distilled": !opened.is_named_base()});
            opened.make(INDEX, &index);
        }
        opened.parts.insert(TRANSFORMER, part);
        opened.complete(header, needed::needed(of, text_width))?;
        Ok(Some(opened))
    }

    /// Finds the other parts; fails if one is missing.
    fn complete(&mut self, header: &Header, needed: &[Needed]) -> Result<(), ModelError> {
        let (mut missing, mut is_alone) = (Vec::new(), true);
        for needed in needed {
            if needed.what == What::Tokenizer && self.is_left_out(needed) {
                continue;
            }
            if self.is_in_folder(needed) {
                continue;
            }
            if let Some(part) = self.part_in(header, needed) {
                is_alone &= needed.what == What::Conditioner;
                self.add(needed, self.file.clone(), header, Some(part));
                continue;
            }
            match needed.find(&self.file) {
                Some(path) if needed.what == What::Tokenizer => _ = self.paths.insert(needed.name, path),
                Some(path) => {
                    let content = map_file(&path)?;
                    let header = Header::read(&content)
                        .map_err(|reason| ModelError::Weights { file: path.display().to_string(), reason })?;
                    let part = match needed.what {
                        What::Vae(_) => vae_in(&header),
                        _ => LlamaCpp::of(|name| header.contains_key(name)).map(Part::LlamaCpp),
                    };
                    self.add(needed, path, &header, part);
                }
                None if needed.optional => self.left_out = Some(needed.how_to_get()),
                None => missing.push(needed.how_to_get()),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let what = match is_alone {
            true => format!("the transformer of {} alone", kinds::name(self.of)),
            false => format!("a checkpoint of {} that lacks some parts", kinds::name(self.of)),
        };
        Err(ModelError::Alone { file: self.file.display().to_string(), what, missing: missing.join(", ") })
    }

    /// Adds a part whose weights are in the file `path`, with its configuration and CLIP's tokenizer, which is known.
    fn add(&mut self, needed: &Needed, path: PathBuf, header: &Header, part: Option<Part>) {
        let named = Named { header, part: part.as_ref() };
        let (config, padding) = match needed.what {
            What::ClipL => (texts::clip(&named, "quick_gelu"), Some(Padding::End)),
            What::ClipG => (texts::clip(&named, "gelu"), Some(Padding::Zero)),
            What::T5 => (texts::t5(&named), None),
            What::Qwen3 => (texts::qwen3(&named), None),
            What::Qwen25Vl => (texts::qwen2_5_vl(&named), None),
            What::Conditioner => (texts::conditioner(&named), None),
            What::Vae(kind) => (flow_vae(header, part.as_ref(), kind), None),
            What::Tokenizer => return,
        };
        self.make(&format!("{}/config.json", needed.part), &config);
        let tokenizer = needed.part.replace("text_encoder", "tokenizer");
        if let Some(padding) = padding.filter(|_| !self.beside.join(&tokenizer).is_dir()) {
            for (name, content) in clip_tokenizer(padding) {
                self.made.insert(format!("{tokenizer}/{name}"), content);
            }
        }
        self.paths.insert(needed.name, path);
        self.parts.extend(part.map(|part| (needed.name, part)));
    }

    /// The naming of a part that is in the same file as the transformer; `None` if it is not.
    fn part_in(&self, header: &Header, needed: &Needed) -> Option<Part> {
        let below = |prefix: String| {
            let mut keys = header.range(prefix.clone()..);
            keys.next().is_some_and(|(key, _)| key.starts_with(&prefix)).then_some(Part::Below { prefix })
        };
        match (needed.what, needed.prefix) {
            (What::Vae(_), _) => vae_in(header),
            (What::Conditioner, _) => {
                below(format!("{}{LLM_ADAPTER}", self.parts.get(TRANSFORMER).map_or("", Part::prefix)))
            }
            (_, Some(prefix)) => below(prefix.to_owned()),
            (_, None) => None,
        }
    }

    fn make(&mut self, name: &str, content: &Value) {
        self.made.insert(name.to_owned(), content.to_string().into_bytes());
    }

    /// Whether the folder next to the file has a part in diffusers' layout.
    fn is_in_folder(&self, needed: &Needed) -> bool {
        let has = |name: &str| self.beside.join(name).is_file();
        match needed.what {
            What::Tokenizer => has(needed.name),
            _ => weight_files::find(needed.name.trim_end_matches(".safetensors"), has).is_some(),
        }
    }

    /// Whether a tokenizer is that of a text encoder that is left out.
    fn is_left_out(&self, tokenizer: &Needed) -> bool {
        self.left_out.is_some() && tokenizer.part == "tokenizer_3"
    }

    /// Whether the name of the file says that the model is not distilled.
    fn is_named_base(&self) -> bool {
        self.is_named(BASE)
    }

    /// Whether the name of the file has a word.
    fn is_named(&self, wanted: &str) -> bool {
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        name.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == wanted)
    }

    /// The transformer's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is assumed because no file says it, as sentences without their full stops.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(files) = &self.left_out {
            notes.push(format!(
                "there is no T5 beside the file, which is left out, as in diffusers; to use it, add {files}"
            ));
        }
        if self.of == Original::QwenImage && self.is_named("edit") {
            notes.push(
                "the name of the file has the word `edit`: Qwen-Image-Edit takes a picture as a reference, which is not supported; \
                 here it makes pictures as Qwen-Image does"
                    .to_owned(),
            );
        }
        if self.of == Original::Flux2 && !self.beside.join(INDEX).is_file() {
            let (has, is) =
                if self.is_named_base() { ("has", "not distilled") } else { ("has not", "distilled") };
            notes.push(format!(
                "the model is taken to be {is}, because the name of its file {has} the word `{BASE}`; {} with `is_distilled` \
                 overrules it",
                self.beside.join(INDEX).display()
            ));
        }
        notes
    }

    /// The path of a file; `None` if it is inferred or missing.
    pub(crate) fn path(&self, file: &str) -> Option<PathBuf> {
        self.paths.get(file).cloned().or_else(|| Some(self.beside.join(file)).filter(|path| path.is_file()))
    }

    /// Whether there is a file of that name.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.path(file).is_some_and(|path| path.is_file()) || self.made.contains_key(file)
    }

    /// The name of a file in messages.
    pub(crate) fn file_name(&self, file: &str) -> String {
        match self.path(file) {
            Some(path) => path.display().to_string(),
            None => format!("{file} (inferred from {})", self.file.display()),
        }
    }

    /// The content of a file; `None` if there is none.
    pub(crate) fn open_file(&self, file: &str) -> Result<Option<Content>, ModelError> {
        match self.path(file) {
            Some(path) => map_file(&path).map(Some),
            None => Ok(self.made.get(file).map(|bytes| Content::Owned(bytes.clone()))),
        }
    }

    /// The naming of a weight file's tensors, if it is not that of diffusers or transformers.
    pub(crate) fn part(&self, file: &str) -> Option<&Part> {
        self.parts.get(file)
    }
}
