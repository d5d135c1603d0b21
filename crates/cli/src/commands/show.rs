//! `maquette show`: what made a picture.

use crate::args::ShowArgs;
use crate::exit::{Exit, Failure};
use crate::output::{self, Outcome};
use maquette_core::Value;
use maquette_store::{Made, read_made};

pub fn show(args: &ShowArgs) -> Outcome {
    let made = read_made(&args.image).map_err(output::store_failure(Exit::NotFound))?;
    let text = match &made {
        Made { recipe: Some(recipe), .. } if args.json => {
            format!("{}\n", serde_json::to_string_pretty(recipe).unwrap_or_default())
        }
        Made { recipe: Some(recipe), .. } => {
            let settings = recipe.settings.iter().chain(&recipe.vars);
            let names =
                settings.clone().map(|(name, _)| name.len()).max().unwrap_or(0).max("fingerprint".len());
            let line = |name: &str, value: &str| format!("{name:names$}  {value}\n");
            let mut text = line("cell", &recipe.cell.to_string());
            for (name, value) in settings {
                text += &line(name, &said(value));
            }
            text + &line("fingerprint", &recipe.fingerprint.to_string())
        }
        Made { recipe: None, parameters: Some(parameters) } => format!("{parameters}\n"),
        Made { recipe: None, parameters: None } => {
            return Err(Failure::message(
                Exit::NotFound,
                format!("`{}` does not say what made it", args.image.display()),
                "allowed: a PNG made by maquette, or one with a `parameters` text as A1111 writes it",
            ));
        }
    };
    output::print(&text)
}

/// A value as the log and the sheets print it.
fn said(value: &serde_json::Value) -> String {
    serde_json::from_value::<Value>(value.clone())
        .map_or_else(|_| value.to_string(), |value| value.to_string())
}
