//! `maquette diff`: shows what differs between two runs, or along an axis of one, in settings and in pixels.

use super::workspace;
use crate::args::{Common, DiffArgs};
use crate::exit::{Exit, Outcome};
use crate::output;

/// How many lines of each list are printed.
const LINES: usize = 20;

pub fn diff(args: &DiffArgs, common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let comparison = match (&args.along, &args.right) {
        (Some(axis), _) => workspace.diff_along(&args.left, axis)?,
        // Clap requires one of the two.
        (None, right) => workspace.diff(&args.left, right.as_deref().unwrap_or_default())?,
    };
    let diff = &comparison.diff;
    let mut text = if args.json { output::json(diff) } else { diff.text(LINES) };
    if let Some(folder) = &args.sheets {
        let sheets = comparison.write_sheets(folder, &mut output::warning)?;
        if !args.json {
            text += &output::paths(sheets);
        }
    }
    if args.open || args.page.is_some() {
        let page = comparison.write_page(args.page.as_deref(), &mut output::warning)?;
        if args.open {
            output::open(&page);
        }
        if !args.json {
            text += &output::paths([page]);
        }
    }
    output::print(&text)?;
    Ok(if diff.is_empty() { Exit::Done } else { Exit::Different })
}
