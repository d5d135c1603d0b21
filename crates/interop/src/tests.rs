//! Reads the pictures in `tests/fixtures/metadata`: valid and invalid texts of each tool.

use super::*;
use maquette_core::test_plans::{cell, image, with_init_image};
use maquette_core::{Cell, Digest, Remarks};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/metadata").join(name)
}

fn bytes(cell: &Cell) -> Vec<u8> {
    encode_cell(&image(cell), cell, &Digest::of(b"weights"), &FileHashes::default(), &Remarks::default())
        .unwrap()
}

fn origin(bytes: &[u8]) -> Option<Origin> {
    identify(&read_png_texts(bytes).unwrap()).origin
}

/// The metadata of a fixture, one item per line.
fn describe(name: &str) -> String {
    let metadata = match read_metadata(&fixture(name)) {
        Ok(metadata) => metadata,
        Err(error) => return error.to_string().replace(&fixture("").display().to_string(), ""),
    };
    let mut lines = Vec::new();
    match metadata.origin {
        Some(Origin::Foreign(foreign)) => {
            lines.push(foreign.tool.name().to_owned());
            lines.extend(foreign.settings.iter().map(|(name, value)| format!("{name} = {value}")));
            let left = |left: &NotTaken| format!("left: {} = {}: {}", left.key, left.value, left.why);
            lines.extend(foreign.left.iter().map(left));
            lines.extend(foreign.facts.iter().map(|(key, value)| format!("fact: {key} = {value}")));
            lines.extend(foreign.notes.iter().map(|note| format!("note: {note}")));
        }
        None => lines.push("nothing".to_owned()),
        Some(own) => lines.push(format!("{own:?}")),
    }
    lines.extend(metadata.unreadable.iter().map(|problem| format!("unreadable: {problem}")));
    lines.join("\n")
}

/// The fixtures of ComfyUI's graphs and the others.
fn described(graphs: bool) -> String {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains('.'))
        .collect();
    names.sort();
    names.retain(|name| (name.starts_with("graph-") || name.starts_with("workflow-")) == graphs);
    let all: Vec<String> = names.iter().map(|name| format!("=== {name}\n{}", describe(name))).collect();
    all.join("\n\n")
}

#[test]
fn every_tools_texts_are_read_and_invalid_ones_are_reported() {
    insta::assert_snapshot!("metadata", described(false));
}

#[test]
fn graphs_are_followed_and_what_cannot_be_followed_is_said() {
    insta::assert_snapshot!("graphs", described(true));
}

#[test]
fn own_pictures_contain_all_settings_and_nothing_of_the_machine() {
    let mut cell = cell();
    with_init_image(&mut cell.settings, 0.3);
    cell.settings.model = "/home/somebody/models/mine".into();
    let bytes = bytes(&cell);
    assert!(read_png_texts(&bytes).unwrap().get("parameters").unwrap().contains("Denoising strength: 0.3"));
    let Some(Origin::Cell(info)) = origin(&bytes) else { panic!("not a cell") };
    assert_eq!(info.cell, cell.id);
    assert_eq!((&info.settings["strength"], &info.settings["model"]), (&0.3.into(), &"mine".into()));
    let init_image: Vec<&FileRef> = info.files("init_image").collect();
    let expected = FileRef { path: "references/selfie.png".to_owned(), digest: Digest::of(b"selfie") };
    assert_eq!(init_image, [&expected]);
    let text = serde_json::to_string_pretty(&info).unwrap();
    assert!(!text.contains("somebody") && !text.contains("somewhere"), "{text}");
}

#[test]
fn own_pictures_are_marked_as_made_by_a_model() {
    let kind = |cell: &Cell| {
        let texts = read_png_texts(&bytes(cell)).unwrap();
        let xmp = texts.get("XML:com.adobe.xmp").unwrap();
        let (_, after) = xmp.split_once("newscodes/digitalsourcetype/").unwrap();
        after.split('"').next().unwrap().to_owned()
    };
    let mut cell = cell();
    assert_eq!(kind(&cell), "trainedAlgorithmicMedia");
    with_init_image(&mut cell.settings, 0.3);
    assert_eq!(kind(&cell), "compositeWithTrainedAlgorithmicMedia");
}

#[test]
fn prompts_in_any_script_round_trip() {
    for prompt in ["café", "猫 ← 🎨", "two\nlines", "nul\0 byte"] {
        let mut cell = cell();
        cell.settings.prompt = prompt.into();
        let bytes = bytes(&cell);
        let texts = read_png_texts(&bytes).unwrap();
        let parameters = texts.get("parameters").unwrap();
        assert!(parameters.starts_with(&prompt.replace('\0', " ")), "{parameters}");
        let Some(Origin::Cell(info)) = origin(&bytes) else { panic!("not a cell") };
        assert_eq!(info.settings["prompt"], prompt);
    }
}
