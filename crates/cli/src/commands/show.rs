//! `maquette show`: shows how a picture was made, by Maquette or another tool.

use super::workspace;
use crate::args::{Common, ShowArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn show(args: &ShowArgs, common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let info = workspace.show(&args.image)?;
    let text = match (args.json, args.toml) {
        (true, _) => output::json(&info.metadata),
        (_, true) => workspace.experiment_of(&args.image)?,
        _ => text::picture_info(&info),
    };
    for problem in &info.metadata.unreadable {
        output::message(format_args!("note: {problem}"));
    }
    output::print(&text)
}
