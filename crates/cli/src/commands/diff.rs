//! `maquette diff`: what differs between two runs, in settings and in pixels.

use crate::args::{Common, DiffArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::{self, Outcome, store_failure};
use crate::{planning, sheets};
use maquette_core::Plan;
use maquette_interop::encode_sheet;
use maquette_reporter::{Side, Tile, diff as compare, diff_pages, render_diff};
use maquette_store::{Run, Runs, write_atomic};

/// How many lines of each list are printed.
const LINES: usize = 20;

pub fn diff(args: &DiffArgs, common: &Common) -> Outcome {
    let runs = planning::runs(&common.runs)?;
    let (left, right) = (Loaded::open(&runs, &args.left)?, Loaded::open(&runs, &args.right)?);
    let (load_left, load_right) = (|index| left.tile(index), |index| right.tile(index));
    let left = Side { name: &left.name, plan: &left.plan, load: &load_left };
    let right = Side { name: &right.name, plan: &right.plan, load: &load_right };
    let diff = compare(&left, &right).or_exit(Exit::NotFound)?;
    let mut text = match args.json {
        true => serde_json::to_string_pretty(&diff).unwrap_or_default() + "\n",
        false => diff.text(LINES),
    };
    if let Some(folder) = &args.sheets {
        for page in diff_pages(&diff, &left, &right) {
            let image = render_diff(&diff, &page, &left, &right);
            let shows = serde_json::json!({ "maquette_diff": 1, "left": diff.left, "right": diff.right });
            let bytes = encode_sheet(&image, &shows).map_err(output::picture_failure)?;
            let path = folder.join(format!("{}.png", page.name));
            write_atomic(&path, &bytes).map_err(store_failure(Exit::Unexpected))?;
            if !args.json {
                text += &format!("{}\n", path.display());
            }
        }
    }
    output::print(&text)?;
    Ok(if diff.is_empty() { Exit::Done } else { Exit::Different })
}

/// A run with everything that comparing it needs.
struct Loaded {
    name: String,
    run: Run,
    plan: Plan,
    log: sheets::Log,
}

impl Loaded {
    fn open(runs: &Runs, name: &str) -> Result<Loaded, Failure> {
        let run = runs.find(name).map_err(store_failure(Exit::NotFound))?;
        let plan = run.plan().map_err(store_failure(Exit::NotFound))?;
        let log = sheets::log(&run)?;
        Ok(Loaded { name: run.to_string(), run, plan, log })
    }

    fn tile(&self, index: usize) -> Tile {
        sheets::load(&self.run, &self.plan, &self.log, index)
    }
}
