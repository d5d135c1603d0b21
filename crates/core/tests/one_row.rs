//! A setting is one row of the table and the code that uses it: the crates contain no other list of settings.

use maquette_core::SETTINGS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A setting that is the experiment's alone, and every file that may name it: its row and its users.
const ADDED: &str = "guidance_rescale";
const USERS: [&str; 8] = [
    "core/src/table.rs",
    "diffusion/src/sampler/denoise_state.rs",
    "diffusion/src/text/conditioning.rs",
    "interop/src/a1111.rs",
    "interop/src/a1111_text.rs",
    "interop/src/comfyui/loaders.rs",
    "interop/src/invokeai.rs",
    "interop/src/novelai.rs",
];

/// A file with this many names of settings contains a list of them.
const LIST: usize = 20;

#[test]
fn a_setting_is_a_row_and_its_users() {
    let users: BTreeSet<String> =
        sources().into_iter().filter(|(_, text)| text.contains(ADDED)).map(|(file, _)| file).collect();
    assert_eq!(users, USERS.map(str::to_owned).into());
}

#[test]
fn no_file_lists_the_settings_but_the_table() {
    for (file, text) in sources() {
        // Other tools have their own names for settings.
        if file.starts_with("interop/") {
            continue;
        }
        let named = SETTINGS.iter().filter(|setting| text.contains(&format!("\"{}\"", setting.name)));
        let named: Vec<&str> = named.map(|setting| setting.name).collect();
        assert!(named.len() < LIST, "{file} names {named:?}");
    }
}

/// The source of every crate without tests: each file's path relative to `crates/`, and its text up to its tests.
fn sources() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> =
        fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if name != "tests" => folders.push(path),
                false if name.ends_with(".rs") && !name.contains("test") => {
                    let text = fs::read_to_string(&path).unwrap();
                    let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                    let file = path.strip_prefix(crates).unwrap().to_string_lossy().replace('\\', "/");
                    sources.push((file, text));
                }
                _ => {}
            }
        }
    }
    assert!(sources.len() > 100);
    sources
}
