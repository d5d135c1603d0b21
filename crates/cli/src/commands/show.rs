//! `maquette show`: what made a picture, ours or anybody's.

use crate::args::ShowArgs;
use crate::exit::{Exit, Failure};
use crate::output::{self, Outcome};
use crate::recall::{Near, recall, recall_foreign};
use crate::sheets;
use maquette_core::Value;
use maquette_interop::{Foreign, Made, Metadata, Recipe, SheetMap, read_metadata};
use maquette_store::Run;
use std::path::Path;

pub fn show(args: &ShowArgs) -> Outcome {
    let metadata = read_metadata(&args.image).map_err(output::picture_failure)?;
    let text = match made(&args.image, &metadata)? {
        _ if args.json => serde_json::to_string_pretty(&metadata).unwrap_or_default() + "\n",
        made if args.toml => experiment(&args.image, made)?,
        Made::Cell(recipe) => told(recipe),
        Made::Sheet(sheet) => sheet_told(sheet, Run::around(&args.image).as_ref()),
        Made::Foreign(foreign) => foreign_told(foreign),
    };
    for problem in &metadata.unreadable {
        output::talk(format_args!("note: {problem}"));
    }
    output::print(&text)
}

/// What made a picture, or the failure that says why nobody knows.
pub fn made<'a>(image: &Path, metadata: &'a Metadata) -> Result<&'a Made, Failure> {
    metadata.made.as_ref().ok_or_else(|| {
        let problems: String = metadata.unreadable.iter().map(|problem| format!("; {problem}")).collect();
        Failure::message(
            Exit::NotFound,
            format!("`{}` does not say what made it{problems}", image.display()),
            "allowed: a picture made by maquette, or one with the text of A1111 (also in a JPEG or WebP file), ComfyUI, \
             SwarmUI or InvokeAI. Pictures that went through a chat or an editor have often lost it.",
        )
    })
}

/// The experiment that makes a picture again.
fn experiment(image: &Path, made: &Made) -> Result<String, Failure> {
    let near = Near::around(image);
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    match made {
        Made::Cell(recipe) => {
            let from = format!("From {name}, which is the cell {}", recipe.cell.short());
            Ok(recall(recipe, &near).text(&from))
        }
        Made::Foreign(foreign) => {
            let from = format!("From the text of {} in {name}", foreign.tool.name());
            Ok(recall_foreign(foreign, &near).text(&from))
        }
        Made::Sheet(sheet) => {
            let help = match near.run {
                Some(run) => format!("Its experiment: {}", run.dir().join("experiment.toml").display()),
                None => format!("Its experiment is in the folder of the run `{}`.", sheet.run),
            };
            let message =
                format!("`{}` is a sheet of {} pictures, not one", image.display(), sheet.cells.len());
            Err(Failure::message(Exit::NotFound, message, help))
        }
    }
}

fn told(recipe: &Recipe) -> String {
    let mut lines = vec![("cell".to_owned(), recipe.cell.to_string())];
    lines.extend(recipe.settings.iter().chain(&recipe.vars).map(|(name, value)| (name.clone(), said(value))));
    lines.push(("fingerprint".to_owned(), recipe.fingerprint.to_string()));
    if let Some(version) = &recipe.version {
        let numerics = recipe.numerics.map_or(String::new(), |numerics| format!(", numerics {numerics}"));
        lines.push(("version".to_owned(), format!("maquette {version}{numerics}")));
    }
    aligned(&lines)
}

fn foreign_told(foreign: &Foreign) -> String {
    let mut lines = vec![("made by".to_owned(), foreign.tool.name().to_owned())];
    lines.extend(foreign.settings.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())));
    let mut text = aligned(&lines);
    if !foreign.left.is_empty() {
        text += "\nnot taken over:\n";
        let left =
            foreign.left.iter().map(|left| vec![left.key.clone(), left.value.clone(), left.why.clone()]);
        text += output::table(&["", "", ""], left).trim_start_matches('\n');
    }
    if !foreign.facts.is_empty() {
        text += "\nit also says:\n";
        text += &aligned(&foreign.facts);
    }
    if !foreign.notes.is_empty() {
        text.push('\n');
    }
    text + &foreign.notes.iter().map(|note| format!("note: {note}\n")).collect::<String>()
}

fn sheet_told(sheet: &SheetMap, run: Option<&Run>) -> String {
    let plan = run.and_then(|run| run.plan().ok());
    let log = run.and_then(|run| sheets::log(run).ok());
    let label = |id| {
        let plan = plan.as_ref()?;
        let index = (0..plan.len()).find(|index| plan.id(*index).is_ok_and(|known| known == id))?;
        Some(plan.label(&plan.coordinates(index)))
    };
    let rows = sheet.cells.iter().map(|(id, place)| {
        let image = log.as_ref().and_then(|log| log.get(id)?.image().map(str::to_owned));
        let area = format!("{}x{} at {}, {}", place.width, place.height, place.x, place.y);
        vec![id.short(), area, label(*id).unwrap_or_default(), image.unwrap_or_default()]
    });
    let heading = format!("{}, page {}: {} pictures\n\n", sheet.run, sheet.page, sheet.cells.len());
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
fn said(value: &serde_json::Value) -> String {
    serde_json::from_value::<Value>(value.clone())
        .map_or_else(|_| value.to_string(), |value| value.to_string())
}
