//! Which files contain the weights of a part: one file, or shards that an index lists.
//!
//! Full precision is preferred; the variants `fp16` and `bf16` are used if there is nothing else. Not here: other variants
//! such as `non_ema`, which are other weights; opening the files.

use maquette_files::is_plain_path;
use serde_json::Value;
use std::collections::BTreeSet;

/// The variants, in order of preference; the first one has no name.
const VARIANTS: [&str; 3] = ["", ".fp16", ".bf16"];

/// The weight files of one part of a model.
pub(crate) struct WeightFiles {
    /// The file, or the index of the shards: the name for messages.
    pub name: String,
    /// The files with tensors.
    pub files: Vec<String>,
}

/// The file of a part's weights, before an index is read.
pub(crate) enum Found {
    One(String),
    Index(String),
}

impl WeightFiles {
    /// Every file that is read.
    pub fn all(self) -> BTreeSet<String> {
        self.files.into_iter().chain([self.name]).collect()
    }
}

/// Finds the weights of the part whose file in full precision is `stem.safetensors`.
pub(crate) fn find(stem: &str, has: impl Fn(&str) -> bool) -> Option<Found> {
    VARIANTS.into_iter().find_map(|variant| {
        let one = format!("{stem}{variant}.safetensors");
        if has(&one) {
            return Some(Found::One(one));
        }
        indices(stem, variant).into_iter().find(|index| has(index)).map(Found::Index)
    })
}

/// The names of one file that a part's weights may have, for messages.
pub(crate) fn names(stem: &str) -> [String; 3] {
    VARIANTS.map(|variant| format!("{stem}{variant}.safetensors"))
}

/// The names that the index of a variant may have: diffusers' and transformers' own, and an older one.
fn indices(stem: &str, variant: &str) -> [String; 2] {
    [format!("{stem}.safetensors.index{variant}.json"), format!("{stem}{variant}.safetensors.index.json")]
}

/// The key of an index that lists the shards: a table with the name of a file for each tensor.
pub(crate) const SHARDS: &str = "weight_map";

/// The files that an index lists, which are beside it; `None` if it does not list files beside it.
pub(crate) fn shards(index: &str, content: &Value) -> Option<Vec<String>> {
    let folder = &index[..index.rfind('/').map_or(0, |at| at + 1)];
    let plain = |name: &&str| name.ends_with(".safetensors") && !name.contains('/') && is_plain_path(name);
    let names = content.get(SHARDS)?.as_object()?.values().map(|name| name.as_str().filter(plain));
    let names = names.collect::<Option<BTreeSet<&str>>>().filter(|names| !names.is_empty())?;
    Some(names.into_iter().map(|name| format!("{folder}{name}")).collect())
}
