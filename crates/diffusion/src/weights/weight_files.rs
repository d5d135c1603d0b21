//! Which files contain the weights of a part: one file, or shards that an index lists.
//!
//! Full precision is preferred; the variants `fp16` and `bf16` are used if there is nothing else. Not here: other variants
//! such as `non_ema`, which are other weights.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::header::{Header, Stored};
use crate::weights::source::ModelSource;
use std::collections::BTreeSet;

/// The variants, in order of preference; the first one has no name.
pub(crate) const VARIANTS: [&str; 3] = ["", ".fp16", ".bf16"];

/// The weight files of one part of a model.
pub(crate) struct WeightFiles {
    /// The file, or the index of the shards: the name for messages.
    pub name: String,
    /// The files with tensors.
    pub files: Vec<String>,
}

impl WeightFiles {
    /// Every file that is read.
    pub fn all(self) -> BTreeSet<String> {
        self.files.into_iter().chain([self.name]).collect()
    }
}

/// The weight files of the part whose file in full precision is `stem.safetensors`.
pub(crate) fn weight_files(source: &ModelSource, stem: &str) -> Result<WeightFiles, ModelError> {
    for variant in VARIANTS {
        let one = format!("{stem}{variant}.safetensors");
        if source.has(&one) {
            return Ok(WeightFiles { files: vec![one.clone()], name: one });
        }
        if let Some(index) = indices(stem, variant).into_iter().find(|index| source.has(index)) {
            return shards(source, index);
        }
    }
    let names = VARIANTS.map(|variant| format!("{stem}{variant}.safetensors"));
    Err(source.missing(&names.each_ref().map(String::as_str)))
}

/// The names that the index of a variant may have: diffusers' and transformers' own, and an older one.
fn indices(stem: &str, variant: &str) -> [String; 2] {
    [format!("{stem}.safetensors.index{variant}.json"), format!("{stem}{variant}.safetensors.index.json")]
}

/// The files that an index lists, which are beside it.
fn shards(source: &ModelSource, index: String) -> Result<WeightFiles, ModelError> {
    const KEY: &str = "weight_map";
    let config = ConfigFile::open(source, &index)?;
    let folder = &index[..index.rfind('/').map_or(0, |at| at + 1)];
    let plain = |name: &str| name.ends_with(".safetensors") && !name.contains(['/', '\\']);
    let names: Option<BTreeSet<&str>> = config.get(KEY).and_then(|map| {
        map.as_object()?.values().map(|name| name.as_str().filter(|name| plain(name))).collect()
    });
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return Err(config.refuse(KEY, "a table with the name of a .safetensors file for each tensor"));
    };
    let files: Vec<String> = names.into_iter().map(|name| format!("{folder}{name}")).collect();
    match files.iter().find(|file| !source.has(file)) {
        Some(missing) => Err(source.missing(&[missing])),
        None => Ok(WeightFiles { name: index, files }),
    }
}

/// Refuses weights of a dtype that is not supported, by their headers. Integers that are not weights, such as old text
/// encoders' position_ids, and tensors that `is_spare` accepts are left out.
pub(crate) fn check_dtypes(
    source: &ModelSource,
    stem: &str,
    is_spare: impl Fn(&str) -> bool,
) -> Result<(), ModelError> {
    for name in weight_files(source, stem)?.files {
        let (content, file, part) = (source.open(&name)?, source.file_name(&name), source.part(&name));
        let header = match Header::read(&content) {
            Ok(header) => header,
            Err(reason) => return Err(ModelError::Weights { file, reason }),
        };
        let spare = |key: &str| part.as_ref().map_or_else(|| is_spare(key), |part| part.is_spare(key));
        for (key, entry) in header.iter().filter(|(_, entry)| !entry.stored.is_index()) {
            if let Some(dtype) = entry.stored.unsupported().filter(|_| !spare(key)) {
                let (key, supported) = (key.clone(), Stored::SUPPORTED);
                return Err(ModelError::Dtype { file, key, dtype, supported });
            }
        }
    }
    Ok(())
}
