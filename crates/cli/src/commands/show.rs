//! `maquette show`: shows how a picture was made, by Maquette or another tool.

use super::workspace;
use crate::args::{Common, ShowArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn show(args: &ShowArgs, common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let info = match args.at {
        Some(place) => workspace.show_at(&args.image, place)?,
        None => workspace.show(&args.image)?,
    };
    let text = match (args.json, args.toml, args.at) {
        (true, ..) => output::json(&info.metadata),
        (_, true, Some(place)) => workspace.experiment_at(&args.image, place)?,
        (_, true, None) => workspace.experiment_of(&args.image)?,
        _ => text::picture_info(&info),
    };
    for problem in &info.metadata.unreadable {
        output::message(format_args!("note: {problem}"));
    }
    output::print(&text)
}
