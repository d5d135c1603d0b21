//! The formats of textual inversions.
//!
//! - diffusers' `learned_embeds.safetensors` or `.bin`: one tensor named by the word.
//! - A1111's `.pt`: `string_to_param` with one tensor under `*`, and a `name`.
//! - A1111's `.safetensors`: `emb_params`.
//! - For SDXL, in either format: `clip_l` and `clip_g`, or `text_encoders_0` and `text_encoders_1`.
//!
//! A tensor is one vector or a list of them.

use super::error::InversionError;
use super::pickle::Pickle;
use crate::weights::small_file;
use crate::weights::small_file::SmallFileError;
use candle_core::{DType, Tensor};
use maquette_files::limits;
use std::path::Path;

/// The content of a file.
pub(super) struct Content {
    /// Its own word, if it has one.
    pub word: Option<String>,
    /// The vectors for each text encoder, `[count, width]`.
    pub vectors: Vec<Tensor>,
}

/// The tensors of a file by name, and the name in files from A1111.
struct Tensors {
    file: String,
    named: Vec<(String, Tensor)>,
    name: Option<String>,
}

/// The names of the tensors for SDXL's two text encoders.
const BOTH: [[&str; 2]; 2] = [["clip_l", "clip_g"], ["text_encoders_0", "text_encoders_1"]];
/// A1111's names of its only tensor.
const ONE: [&str; 2] = ["emb_params", "*"];

/// Reads a file for text encoders of these widths.
pub(super) fn read(path: &Path, widths: &[usize]) -> Result<Content, InversionError> {
    let file = path.display().to_string();
    let bytes = small_file::read(path, limits::EMBEDDING)?;
    // The magic number of zip archives; a safetensors file begins with the length of its header, which is never that
    // large.
    let tensors = match bytes.starts_with(b"PK\x03\x04")
        || path.extension().is_some_and(|it| it == "pt" || it == "bin")
    {
        true => unpickled(file, &bytes)?,
        false => {
            let named = small_file::parse(&file, &bytes)?.tensors.into_iter().collect();
            Tensors { file, named, name: None }
        }
    };
    tensors.content(widths)
}

/// The vectors among tensors that are not in a file of their own; `file` is named in errors.
pub(super) fn content(
    file: String,
    named: Vec<(String, Tensor)>,
    widths: &[usize],
) -> Result<Content, InversionError> {
    Tensors { file, named, name: None }.content(widths)
}

fn unpickled(file: String, bytes: &[u8]) -> Result<Tensors, InversionError> {
    let broken = |reason| SmallFileError::Broken { file: file.clone(), kind: "pickle", reason };
    let mut pickle = Pickle::read(bytes).map_err(broken)?;
    let owned = |entries: Vec<(&str, _)>| -> Vec<(String, _)> {
        entries.into_iter().map(|(key, place)| (key.to_owned(), place)).collect()
    };
    let mut entries = owned(pickle.entries(pickle.root()));
    let entry = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, place)| *place);
    let name = entry("name").and_then(|place| pickle.text(place)).map(str::to_owned);
    if let Some(parameters) = entry("string_to_param") {
        entries = owned(pickle.entries(parameters));
    }
    let mut named = Vec::new();
    for (key, place) in entries {
        if !pickle.is_tensor(place) {
            continue;
        }
        let Some(tensor) = pickle.tensor(place) else {
            return Err(broken(format!("its tensor `{key}` cannot be read")).into());
        };
        let finite = small_file::is_finite(&tensor)?;
        if !finite {
            return Err(SmallFileError::NotFinite { file, key }.into());
        }
        named.push((key, tensor));
    }
    Ok(Tensors { file, named, name })
}

impl Tensors {
    fn content(mut self, widths: &[usize]) -> Result<Content, InversionError> {
        let has = |key: &&str| self.named.iter().any(|(name, _)| name == key);
        if let Some(both) = BOTH.into_iter().find(|both| both.iter().all(has)) {
            return self.of_both(both, widths);
        }
        let one = match self.named.len() {
            1 => 0,
            _ => self
                .named
                .iter()
                .position(|(name, _)| ONE.contains(&name.as_str()))
                .ok_or_else(|| self.unknown())?,
        };
        let &[width] = widths else {
            return Err(InversionError::Encoders {
                file: self.file,
                found: "vectors for one text encoder".to_owned(),
                encoders: widths.len(),
                allowed: "a file with `clip_l` and `clip_g`, made for SDXL",
            });
        };
        let (key, tensor) = self.named.swap_remove(one);
        let vectors = self.fitted(&key, &tensor, width)?;
        let word = if ONE.contains(&key.as_str()) { self.name } else { Some(key) };
        Ok(Content { word, vectors: vec![vectors] })
    }

    fn of_both(self, both: [&str; 2], widths: &[usize]) -> Result<Content, InversionError> {
        if widths.len() != both.len() {
            return Err(InversionError::Encoders {
                file: self.file,
                found: format!("`{}` and `{}`, made for SDXL", both[0], both[1]),
                encoders: widths.len(),
                allowed: "a file with vectors for one text encoder",
            });
        }
        let mut vectors: Vec<Tensor> = Vec::new();
        for (key, &width) in both.iter().zip(widths) {
            let Some((_, tensor)) = self.named.iter().find(|(name, _)| name == key) else {
                return Err(self.unknown());
            };
            let fitted = self.fitted(key, tensor, width)?;
            let (found, expected) =
                (fitted.dims()[0], vectors.first().map_or(fitted.dims()[0], |it| it.dims()[0]));
            if found != expected {
                return Err(InversionError::Count {
                    file: self.file,
                    key: (*key).to_owned(),
                    found,
                    expected,
                });
            }
            vectors.push(fitted);
        }
        Ok(Content { word: self.name, vectors })
    }

    /// A tensor `[count, width]`, or a single vector, as `[count, width]` in f32.
    fn fitted(&self, key: &str, tensor: &Tensor, width: usize) -> Result<Tensor, InversionError> {
        let count = match *tensor.dims() {
            [found] if found == width => 1,
            [count, found] if found == width && count > 0 => count,
            _ => {
                const WIDTHS: [(usize, &str); 3] = [
                    (768, "Stable Diffusion 1"),
                    (1024, "Stable Diffusion 2"),
                    (1280, "SDXL's second text encoder"),
                ];
                let last = tensor.dims().last().copied().unwrap_or(0);
                let known = WIDTHS.iter().find(|(known, _)| *known == last);
                return Err(InversionError::Width {
                    file: self.file.clone(),
                    key: key.to_owned(),
                    found: tensor.dims().into(),
                    width,
                    hint: known
                        .map_or(String::new(), |(_, name)| format!(" It seems to be made for {name}.")),
                });
            }
        };
        Ok(tensor.to_dtype(DType::F32)?.reshape((count, width))?)
    }

    fn unknown(&self) -> InversionError {
        let mut keys: Vec<String> = self.named.iter().take(4).map(|(name, _)| format!("`{name}`")).collect();
        if self.named.len() > keys.len() {
            keys.push(format!("{} more", self.named.len() - keys.len()));
        }
        let found = if keys.is_empty() { "no tensors".to_owned() } else { keys.join(", ") };
        InversionError::Content { file: self.file.clone(), found }
    }
}
