//! What is read from the pictures in `tests/fixtures/metadata`: the texts of each tool, good ones and bad ones.

use super::*;
use crate::picture::encode_cell;
use crate::test_plans::{cell, image, with_init_image};
use maquette_core::{Cell, Digest, Remarks};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/metadata").join(name)
}

fn bytes(cell: &Cell) -> Vec<u8> {
    encode_cell(&image(cell), cell, &Digest::of(b"weights"), &Remarks::default()).unwrap()
}

fn made(bytes: &[u8]) -> Option<Made> {
    understood(texts::png(bytes).unwrap()).made
}

/// What is read from a fixture, a line for each thing.
fn told(name: &str) -> String {
    let metadata = match read_metadata(&fixture(name)) {
        Ok(metadata) => metadata,
        Err(error) => return error.to_string().replace(&fixture("").display().to_string(), ""),
    };
    let mut lines = Vec::new();
    match metadata.made {
        Some(Made::Foreign(foreign)) => {
            lines.push(foreign.tool.name().to_owned());
            lines.extend(foreign.settings.iter().map(|(name, value)| format!("{name} = {value}")));
            let left = |left: &Left| format!("left: {} = {}: {}", left.key, left.value, left.why);
            lines.extend(foreign.left.iter().map(left));
            lines.extend(foreign.facts.iter().map(|(key, value)| format!("fact: {key} = {value}")));
            lines.extend(foreign.notes.iter().map(|note| format!("note: {note}")));
        }
        None => lines.push("nothing".to_owned()),
        Some(ours) => lines.push(format!("{ours:?}")),
    }
    lines.extend(metadata.unreadable.iter().map(|problem| format!("unreadable: {problem}")));
    lines.join("\n")
}

#[test]
fn print_all() {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names.iter().filter(|name| name.contains('.')) {
        println!("=== {name}\n{}", told(name));
    }
}
