//! The parts of a run's folder, for removing it: whatever else is in there is not touched.

use crate::folders::folders;
use crate::{Run, StoreError, plan_file};
use std::path::{Path, PathBuf};

/// Marks a folder whose run is being removed.
pub(crate) const REMOVING: &str = ".removing";

/// Every file and folder of a run.
const PARTS: [&str; 19] = [
    REMOVING,
    "plan.json",
    "experiment.toml",
    ".share",
    "references",
    "images",
    "drafts",
    "trained",
    "sheets",
    "submit",
    "page",
    "plots",
    "effects.json",
    "index.html",
    "picks.toml",
    "votes.csv",
    ".checked.json",
    ".report.json",
    "picks.lock",
];

/// What is in a run's folder: the path of each file and folder, and whether it is a part of a run.
pub(crate) fn parts(run: &Path) -> Result<Vec<(PathBuf, bool)>, StoreError> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(run).map_err(StoreError::io("read", run))? {
        let entry = entry.map_err(StoreError::io("read", run))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let log = |start: &str| name.starts_with(start) && name.ends_with(".csv");
        let known = PARTS.contains(&&*name)
            || [".lock", ".writing-"].iter().any(|start| name.starts_with(start))
            || ["log", "drafts"].iter().any(|start| log(start));
        parts.push((entry.path(), known && !entry.file_type().is_ok_and(|kind| kind.is_symlink())));
    }
    parts.sort();
    Ok(parts)
}

/// Every folder with a run in the runs folder, also one that was moved there under another name.
pub(crate) fn run_folders(root: &Path) -> Result<Vec<Run>, StoreError> {
    let mut runs = Vec::new();
    for (name, folder) in folders(root)? {
        if plan_file::is_run(&folder) {
            runs.push(Run { name: name.clone(), number: 0, dir: folder.clone() });
        }
        for (inner, dir) in folders(&folder)? {
            if plan_file::is_run(&dir) {
                runs.push(Run { name: name.clone(), number: inner.parse().unwrap_or(0), dir });
            }
        }
    }
    runs.sort();
    Ok(runs)
}

/// Whether a folder is what remains of a run whose removal was interrupted.
pub(crate) fn is_being_removed(folder: &Path) -> bool {
    folder.join(REMOVING).is_file() && !plan_file::is_run(folder)
}
