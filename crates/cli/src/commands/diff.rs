//! `maquette diff`: shows what differs between two runs, in settings and in pixels.

use super::workspace;
use crate::args::{Common, DiffArgs};
use crate::exit::{Exit, Outcome};
use crate::output;

/// How many lines of each list are printed.
const LINES: usize = 20;

pub fn diff(args: &DiffArgs, common: &Common) -> Outcome {
    let comparison = workspace(common)?.diff(&args.left, &args.right)?;
    let diff = &comparison.diff;
    let mut text = if args.json { output::json(diff) } else { diff.text(LINES) };
    if let Some(folder) = &args.sheets {
        let sheets = comparison.write_sheets(folder, &mut output::warning)?;
        if !args.json {
            text += &output::paths(sheets);
        }
    }
    output::print(&text)?;
    Ok(if diff.is_empty() { Exit::Done } else { Exit::Different })
}
