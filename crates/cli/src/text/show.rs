//! How a picture was made, as text.

use crate::output;
use maquette::{Foreign, GenerationInfo, Origin, PictureInfo, SheetCell, SheetMap, Value};

/// How a picture was made, as names and values; for a sheet, the pictures on it.
pub fn picture_info(picture: &PictureInfo) -> String {
    match &picture.metadata.origin {
        Some(Origin::Cell(info)) => cell(info),
        Some(Origin::Sheet(map)) => sheet(map, &picture.sheet),
        Some(Origin::Foreign(tool)) => foreign(tool),
        None => String::new(),
    }
}

fn cell(info: &GenerationInfo) -> String {
    let mut lines = vec![("cell".to_owned(), info.cell.to_string())];
    lines.extend(
        info.settings.iter().chain(&info.vars).map(|(name, value)| (name.clone(), value_text(value))),
    );
    lines.push(("fingerprint".to_owned(), info.fingerprint.to_string()));
    if let Some(version) = &info.version {
        let numerics = info.numerics.map_or(String::new(), |numerics| format!(", numerics {numerics}"));
        lines.push(("version".to_owned(), format!("maquette {version}{numerics}")));
    }
    aligned(&lines)
}

fn foreign(foreign: &Foreign) -> String {
    let mut lines = vec![("made by".to_owned(), foreign.tool.name().to_owned())];
    lines.extend(foreign.settings.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())));
    let mut text = aligned(&lines);
    if !foreign.left.is_empty() {
        text += "\nnot imported:\n";
        let left =
            foreign.left.iter().map(|left| vec![left.key.clone(), left.value.clone(), left.why.clone()]);
        text += output::table(&["", "", ""], left).trim_start_matches('\n');
    }
    if !foreign.facts.is_empty() {
        text += "\nother metadata:\n";
        text += &aligned(&foreign.facts);
    }
    if !foreign.notes.is_empty() {
        text.push('\n');
    }
    text + &foreign.notes.iter().map(|note| format!("note: {note}\n")).collect::<String>()
}

fn sheet(sheet: &SheetMap, cells: &[SheetCell]) -> String {
    let rows = cells.iter().map(|SheetCell { cell, place, label, image }| {
        let area = format!("{}x{} at {}, {}", place.width, place.height, place.x, place.y);
        vec![cell.short(), area, label.clone(), image.clone().unwrap_or_default()]
    });
    let pictures = if cells.len() == 1 { "picture" } else { "pictures" };
    let heading = format!("{}, page {}: {} {pictures}\n\n", sheet.run, sheet.page, cells.len());
    heading + &output::table(&["cell", "pixels", "", ""], rows)
}

/// Names and values in two columns. A value of several lines stays in its column.
fn aligned(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(String, String)| {
        let value = value.replace('\n', &format!("\n{:width$}  ", ""));
        format!("{}\n", format!("{name:width$}  {value}").trim_end())
    };
    lines.iter().map(line).collect()
}

/// A value as the log and the sheets print it.
fn value_text(value: &serde_json::Value) -> String {
    serde_json::from_value::<Value>(value.clone())
        .map_or_else(|_| value.to_string(), |value| value.to_string())
}
