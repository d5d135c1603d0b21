//! The files of models, and the answers of the hub.

use crate::folder::Folder;
use maquette_core::{Dialect, Digest, Dtype, Embedding, NamedFile};
use maquette_diffusion::{
    ControlNetFiles, Inversions, IpAdapterFile, ModelSource, card, check_lora, inversions,
    lora_has_embeddings, model_notes, tokenizer as load, trigger_words,
};
use maquette_hub::{Wanted, wanted_files};

/// The configuration of a text encoder.
const TEXT_ENCODER: &[u8] = include_bytes!("../../../tests/fixtures/tiny-a/text_encoder/config.json");

thread_local! { static FOLDER: Folder = Folder::new(); }

/// Reads the header of a checkpoint, of a ControlNet or of an IP-Adapter.
pub fn checkpoint(input: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.write("checkpoint.safetensors", input);
        if let Ok(source) = ModelSource::at(&path) {
            let _ = card(&source);
            let _ = model_notes(&source);
        }
        let _ = ControlNetFiles::open(&path);
        let _ = IpAdapterFile::open(&path);
    });
}

/// Reads a LoRA without a model. An input that is not a safetensors file is a list of keys, one per line.
pub fn lora(input: &[u8]) {
    let file = match input.get(4..8) {
        Some([0, 0, 0, 0]) => input.to_vec(),
        _ => with_keys(&String::from_utf8_lossy(input)),
    };
    FOLDER.with(|folder| {
        let path = folder.write("lora.safetensors", &file);
        let _ = check_lora(&path);
        lora_has_embeddings(&path);
        trigger_words(&path);
    });
}

/// A safetensors file with a tensor of one number for each key.
fn with_keys(keys: &str) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    for key in keys.lines() {
        let at = 4 * header.len();
        if !header.contains_key(key) {
            let tensor = serde_json::json!({ "dtype": "F32", "shape": [1], "data_offsets": [at, at + 4] });
            header.insert(key.to_owned(), tensor);
        }
    }
    let data = vec![0; 4 * header.len()];
    let header = serde_json::Value::Object(header).to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

/// Loads a tokenizer and reads a prompt with it. The input is the files of its folder, separated by a byte 0:
/// `tokenizer.json`, or, if that is empty, `vocab.json` and `merges.txt`, then its settings.
pub fn tokenizer(input: &[u8]) {
    const FILES: [&str; 6] = [
        "tokenizer.json",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ];
    let folder = Folder::new();
    folder.write("text_encoder/config.json", TEXT_ENCODER);
    for (name, bytes) in
        FILES.iter().zip(input.split(|byte| *byte == 0)).filter(|(_, bytes)| !bytes.is_empty())
    {
        folder.write(&format!("tokenizer/{name}"), bytes);
    }
    let source = ModelSource::Folder(folder.0.path().to_owned());
    if let Ok(tokenizer) = load(&source) {
        let _ = tokenizer.words("A cat, with (green:1.2) eyes and a café.", &Inversions::default());
        let _ = tokenizer.encode("a cat");
    }
}

/// Reads a textual inversion: torch's pickle or a safetensors file.
pub fn embedding(input: &[u8]) {
    thread_local! { static MODEL: ModelSource = ModelSource::Folder(tiny()); }
    FOLDER.with(|folder| {
        let ending = if input.starts_with(b"PK") { "pt" } else { "safetensors" };
        let file = folder.write(&format!("embedding.{ending}"), input);
        let named =
            NamedFile { path: "embedding".into(), file: file.as_path().into(), digest: Digest::of(input) };
        MODEL.with(|model| {
            let tokenizer = load(model).expect("the tokenizer of the fixture");
            let embeddings = [Embedding { word: None, file: named }];
            let _ = inversions(model, &tokenizer, &embeddings, Dialect::Plain, &[]);
        });
    });
}

fn tiny() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-a")
}

/// Makes the card of a model, one of whose configurations is the input; the first byte chooses which.
pub fn config(input: &[u8]) {
    const FILES: [&str; 4] =
        ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json", "model_index.json"];
    let Some((first, config)) = input.split_first() else { return };
    let folder = Folder::new();
    for name in FILES {
        let found = std::fs::read(tiny().join(name)).expect("a file of the fixture");
        folder.write(name, &found);
    }
    folder.write(FILES[usize::from(*first) % FILES.len()], config);
    let source = ModelSource::Folder(folder.0.path().to_owned());
    let _ = card(&source);
    let _ = model_notes(&source);
}

/// Reads the hub's list of a repository's files, and after a byte 0 its `model_index.json`.
pub fn hub(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (list, index) = input.split_at(at);
    let index = index.get(1..);
    let pipeline = Wanted::Pipeline { dtype: Dtype::F16, safety_checker: true };
    for wanted in [pipeline, Wanted::Single] {
        for file in wanted_files(list, index, &wanted).unwrap_or_default() {
            let plain = file.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
            assert!(plain && !file.contains(['\\', ':']), "{file}");
        }
    }
}
