//! `maquette describe`: a caption of a photo, to start a prompt from.

use super::workspace;
use crate::args::{Common, DescribeArgs};
use crate::exit::Outcome;
use crate::output;

pub fn describe(args: &DescribeArgs, common: &Common) -> Outcome {
    let caption = workspace(common)?.describe(&args.photo, Some(&args.model))?;
    output::print(&format!("{caption}\n"))
}
