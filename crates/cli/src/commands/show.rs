//! `maquette show`: what made a picture, Maquette's or another tool's.

use super::workspace;
use crate::args::{Common, ShowArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn show(args: &ShowArgs, common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let shown = workspace.show(&args.image)?;
    let text = match (args.json, args.toml) {
        (true, _) => output::json(&shown.metadata),
        (_, true) => workspace.experiment_of(&args.image)?,
        _ => text::shown(&shown),
    };
    for problem in &shown.metadata.unreadable {
        output::message(format_args!("note: {problem}"));
    }
    output::print(&text)
}
