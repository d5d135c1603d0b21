//! Which files of a repository a model needs. The same rule decides what to download and whether the cache is
//! complete.
//!
//! Only safetensors: a pickle (`.bin`, `.ckpt`) can run code when it is read.

use maquette_core::Dtype;
use serde_json::{Map, Value};
use std::fmt;

/// The index of a model in diffusers' layout, and that of a modular pipeline, such as Anima's.
const INDEX: &str = "model_index.json";
const MODULAR_INDEX: &str = "modular_model_index.json";

/// What to get from a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A model in diffusers' layout, in folders.
    Pipeline {
        /// Weights in half precision are preferred for `f16`, in full precision otherwise; another precision is used
        /// where the preferred one is missing.
        dtype: Dtype,
        /// Whether to include the model's safety checker, if it has one.
        safety_checker: bool,
    },
    /// A single model in transformers' layout: `config.json`, weights, and the files of its tokenizer and image processor.
    Single,
}

/// Why a repository cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// There is no model_index.json and no modular_model_index.json. Holds the checkpoints at the top level, if any.
    NoIndex(Vec<String>),
    /// The index cannot be parsed. Holds the parser's reason.
    BadIndex(String),
    /// A part's weights are only available as a pickle. Holds the file.
    Pickle(String),
    /// A required file is missing.
    Missing(String),
}

/// The parts that are read, and the files of each.
const PARTS: [(&str, Part); 14] = [
    ("scheduler", Part::Settings("scheduler_config.json")),
    ("tokenizer", Part::Tokenizer),
    ("tokenizer_2", Part::Tokenizer),
    ("tokenizer_3", Part::Tokenizer),
    ("t5_tokenizer", Part::Tokenizer),
    ("text_encoder", Part::Weights),
    ("text_encoder_2", Part::Weights),
    ("text_encoder_3", Part::Weights),
    ("text_conditioner", Part::Weights),
    ("unet", Part::Weights),
    ("transformer", Part::Weights),
    ("vae", Part::Weights),
    ("safety_checker", Part::Weights),
    ("feature_extractor", Part::Settings("preprocessor_config.json")),
];

/// The files of a single model, besides its configuration and weights, that are read where they exist.
const SINGLE: [&str; 9] = [
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
];

/// The parts of the safety checker.
const SAFETY: [&str; 2] = ["safety_checker", "feature_extractor"];

/// The most shards of one part. A shard has some gigabytes.
const MOST_SHARDS: usize = 64;

/// Transformers' and diffusers' names of the one weight file.
const STEMS: [&str; 2] = ["model", "diffusion_pytorch_model"];
const PICKLES: [&str; 6] = [
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
    "pytorch_model.fp16.bin",
    "diffusion_pytorch_model.fp16.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin.index.json",
];

enum Part {
    /// One file.
    Settings(&'static str),
    Tokenizer,
    /// `config.json` and a weight file.
    Weights,
}

impl Wanted {
    /// The files to get, out of those that the repository has, sorted. `index` is the content of its [`index`].
    /// Cached weights of the other precision are used instead of downloading the preferred ones.
    pub(crate) fn files(
        &self,
        index: Option<&[u8]>,
        all: &dyn Fn() -> Vec<String>,
        has: &dyn Fn(&str) -> bool,
        cached: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, Unusable> {
        let (dtype, safety_checker) = match *self {
            Wanted::Pipeline { dtype, safety_checker } => (dtype, safety_checker),
            Wanted::Single => return single(has, cached),
        };
        let name = self::index(has).unwrap_or(INDEX);
        let index = index.ok_or_else(|| Unusable::NoIndex(checkpoints(&all())))?;
        let index: Map<String, Value> =
            serde_json::from_slice(index).map_err(|error| Unusable::BadIndex(error.to_string()))?;
        let mut files = vec![name.to_owned()];
        // A modular pipeline names the libraries of loaded parts alone, and has no parts that are left out.
        let is_modular = name == MODULAR_INDEX;
        for (name, part) in &PARTS {
            let named = index.get(*name).and_then(Value::as_array);
            let is_listed = |named: &Vec<Value>| is_modular || named.first().is_some_and(|by| !by.is_null());
            if named.is_some_and(is_listed) && (safety_checker || !SAFETY.contains(name)) {
                files.extend(part.files(name, dtype, has, cached)?);
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// The index that a repository has; of two, model_index.json.
pub(crate) fn index(has: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    [INDEX, MODULAR_INDEX].into_iter().find(|name| has(name))
}

impl Part {
    fn files(
        &self,
        name: &str,
        dtype: Dtype,
        has: &dyn Fn(&str) -> bool,
        cached: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, Unusable> {
        let must = |file: &str| {
            let file = format!("{name}/{file}");
            if has(&file) { Ok(file) } else { Err(Unusable::Missing(file)) }
        };
        match self {
            Part::Settings(file) => Ok(vec![must(file)?]),
            Part::Tokenizer => tokenizer(name, has),
            Part::Weights => Ok([vec![must("config.json")?], weights(name, dtype, has, cached)?].concat()),
        }
    }
}

/// The files of a single model, sorted.
fn single(has: &dyn Fn(&str) -> bool, cached: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Unusable> {
    if !has("config.json") {
        return Err(Unusable::Missing("config.json".to_owned()));
    }
    let others = SINGLE.into_iter().filter(|file| has(file)).map(str::to_owned);
    let mut files = weights("", Dtype::F32, has, cached)?;
    files.extend(others.chain(["config.json".to_owned()]));
    files.sort_unstable();
    Ok(files)
}

/// The weight file of a part, or the index of its shards and all of them.
fn weights(
    part: &str,
    dtype: Dtype,
    has: &dyn Fn(&str) -> bool,
    cached: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, Unusable> {
    let variants = match dtype {
        Dtype::F16 => [".fp16", "", ".bf16"],
        Dtype::F32 => ["", ".fp16", ".bf16"],
        Dtype::Bf16 => ["", ".bf16", ".fp16"],
    };
    // A single model is at the top level.
    let path = |name: &str| if part.is_empty() { name.to_owned() } else { format!("{part}/{name}") };
    let names =
        variants.into_iter().flat_map(|variant| STEMS.into_iter().map(move |stem| (path(stem), variant)));
    let mut found = Vec::new();
    let mut incomplete = None;
    for (stem, variant) in names {
        let one = format!("{stem}{variant}.safetensors");
        if has(&one) {
            found.push(vec![one]);
        } else if let Some(index) = indices(&stem, variant).into_iter().find(|index| has(index)) {
            match shards(&stem, variant, has) {
                Ok(shards) => found.push([vec![index], shards].concat()),
                Err(missing) => incomplete = incomplete.or(Some(missing)),
            }
        }
    }
    let all_cached = found.iter().position(|files| files.iter().all(|file| cached(file)));
    if !found.is_empty() {
        return Ok(found.swap_remove(all_cached.unwrap_or(0)));
    }
    let pickle = PICKLES.iter().map(|name| path(name)).find(|file| has(file));
    let missing = incomplete.unwrap_or_else(|| path(&format!("{}{}.safetensors", STEMS[0], variants[0])));
    Err(pickle.map_or(Unusable::Missing(missing), Unusable::Pickle))
}

/// The names that the index of a variant's shards may have.
fn indices(stem: &str, variant: &str) -> [String; 2] {
    [format!("{stem}.safetensors.index{variant}.json"), format!("{stem}{variant}.safetensors.index.json")]
}

/// The shards of a variant, by the names that diffusers and transformers give them; the error is a missing one.
fn shards(stem: &str, variant: &str, has: &dyn Fn(&str) -> bool) -> Result<Vec<String>, String> {
    let current =
        |shard: usize, count: usize| format!("{stem}{variant}-{shard:05}-of-{count:05}.safetensors");
    let older = |shard: usize, count: usize| format!("{stem}-{shard:05}-of-{count:05}{variant}.safetensors");
    for name in [&current as &dyn Fn(usize, usize) -> String, &older] {
        let known = (1..=MOST_SHARDS).find(|&count| (1..=count).any(|shard| has(&name(shard, count))));
        if let Some(count) = known {
            let shards: Vec<String> = (1..=count).map(|shard| name(shard, count)).collect();
            return match shards.iter().find(|shard| !has(shard)) {
                Some(missing) => Err(missing.clone()),
                None => Ok(shards),
            };
        }
    }
    Err(current(1, 1))
}

/// The vocabulary in either form, and its settings.
fn tokenizer(part: &str, has: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Unusable> {
    let existing = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{part}/{name}")).filter(|file| has(file)).collect()
    };
    let (whole, parts) = (existing(&["tokenizer.json"]), existing(&["vocab.json", "merges.txt"]));
    if whole.is_empty() && parts.len() < 2 {
        return Err(Unusable::Missing(format!("{part}/tokenizer.json")));
    }
    let settings = existing(&["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"]);
    Ok([whole, parts, settings].concat())
}

/// The checkpoints at the top level of a repository, the readable ones first.
fn checkpoints(all: &[String]) -> Vec<String> {
    let ending = |ending: &'static str| {
        all.iter().filter(move |file| !file.contains('/') && file.ends_with(ending)).cloned()
    };
    ending(".safetensors").chain(ending(".ckpt")).collect()
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::NoIndex(checkpoints) if checkpoints.is_empty() => {
                f.write_str("is not a model in diffusers' layout: it has no model_index.json")
            }
            Unusable::NoIndex(checkpoints) => {
                write!(f, "has no model_index.json, only checkpoints: {}", checkpoints.join(", "))
            }
            Unusable::BadIndex(reason) => write!(f, "has a model_index.json that cannot be read: {reason}"),
            Unusable::Pickle(file) => {
                write!(f, "has unsupported weights: {file} is a Python pickle, which can run code")
            }
            Unusable::Missing(file) => write!(f, "has no {file}, which the model needs"),
        }
    }
}

impl Unusable {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        const CONVERT: &str = "if you trust its authors, convert it to safetensors with diffusers' \
                               `from_pretrained(…).save_pretrained(folder)` and use that folder";
        match self {
            Unusable::NoIndex(checkpoints) => match checkpoints.first() {
                Some(file) if file.ends_with(".safetensors") => {
                    Some(format!("download {file} and give its path: `model = \"path/to/{file}\"`"))
                }
                Some(_) => Some(format!(
                    "a .ckpt is a Python pickle, which can run code, and is not supported. Look for a repository or \
                     revision with safetensors; or {CONVERT}"
                )),
                None => Some(
                    "allowed: a repository with model_index.json, unet or transformer, vae, text_encoder and tokenizer"
                        .to_owned(),
                ),
            },
            Unusable::Pickle(_) => {
                Some(format!("look for a revision with safetensors (`@refs/pr/N`); or {CONVERT}"))
            }
            Unusable::BadIndex(_) | Unusable::Missing(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
