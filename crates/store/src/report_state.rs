//! `.report.json` in a run: what its sheets and its page were made from, so that a run with nothing to do does not make them
//! again.
//!
//! Files are compared by size and modification time, as in `.checked.json`. Pictures are not among them: a run has nothing
//! to do only if they have the pixels that the log says.

use crate::atomic::write_unforced;
use crate::checked::FileState;
use crate::folders::folders;
use crate::page_files::{entries, thumbnail_folders};
use crate::{Run, StoreError, sync};
use maquette_core::Digest;
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const PAGE: &str = "index.html";

/// What the sheets and the page were made from, and what was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportState {
    /// Everything that decides about them.
    inputs: Digest,
    /// The sheets, in the order of the pages, relative to the run.
    sheets: Vec<PathBuf>,
    /// The states of files and folders after they were made.
    made: BTreeMap<String, (FileState, usize)>,
}

impl Run {
    /// What the sheets and the page would be made from now: the files of the run, the program, and `others`, a text for
    /// what is not in the run. `None` if that cannot be told. Taken before they are made, so that a change meanwhile counts.
    pub fn report_inputs(&self, program: &Path, others: &str) -> Option<Digest> {
        let mut text = format!("{}\n{others}\n", self.dir().display());
        let mut add = |path: &Path| -> Option<()> {
            let state = FileState::of(path)?;
            writeln!(text, "{} {state:?}", path.display()).ok()
        };
        add(program)?;
        let drafts = self.dir().join("drafts");
        let mut looked_at = vec![self.dir().to_owned(), self.dir().join("references"), drafts.clone()];
        looked_at.extend(folders(&drafts).ok()?.into_iter().map(|(_, subfolder)| subfolder));
        looked_at.sort();
        for folder in looked_at {
            let mut entries = entries(&folder).ok()?;
            entries.sort();
            for (path, name) in entries {
                let other = name == PAGE || name.starts_with('.') || name.ends_with(".lock");
                if !other && path.is_file() {
                    add(&path)?;
                }
            }
        }
        Some(Digest::of(text.as_bytes()))
    }

    /// The sheets that were made from these inputs, in the order of the pages, if they and the page have not changed since.
    pub fn current_sheets(&self, inputs: &Digest) -> Option<Vec<PathBuf>> {
        let bytes = maquette_files::read(&path(self), limits::RUN_FILE).ok()?;
        let state: ReportState = serde_json::from_slice(&bytes).ok()?;
        let current = state.inputs == *inputs && self.made().ok()? == state.made;
        current.then(|| state.sheets.iter().map(|sheet| self.dir().join(sheet)).collect())
    }

    /// Remembers that sheets and page were just made from these inputs.
    pub fn remember_report(&self, inputs: Digest, sheets: &[PathBuf]) -> Result<(), StoreError> {
        let relative = |sheet: &PathBuf| sheet.strip_prefix(self.dir()).unwrap_or(sheet).to_owned();
        let sheets = sheets.iter().map(relative).collect();
        let state = ReportState { inputs, sheets, made: self.made()? };
        // A power failure must not leave torn files that count as made.
        for path in state.made.keys().map(|name| self.dir().join(name)) {
            if path.is_dir() { sync::folder(&path)? } else { sync::file(&path)? }
        }
        write_unforced(&path(self), &serde_json::to_vec(&state).unwrap_or_default())
    }

    /// The states of all that is made. A folder of thumbnails counts as changed if files were added or removed.
    fn made(&self) -> Result<BTreeMap<String, (FileState, usize)>, StoreError> {
        let mut paths = vec![self.dir().join(PAGE)];
        for folder in ["sheets", "page"] {
            paths.extend(entries(&self.dir().join(folder))?.into_iter().map(|(path, _)| path));
        }
        paths.extend(thumbnail_folders(self.dir()));
        let state = |path: PathBuf| {
            let files = if path.is_dir() { entries(&path).ok()?.len() } else { 1 };
            let name = path.strip_prefix(self.dir()).unwrap_or(&path).to_string_lossy().into_owned();
            Some((name, (FileState::of(&path)?, files)))
        };
        Ok(paths.into_iter().filter_map(state).collect())
    }
}

fn path(run: &Run) -> PathBuf {
    run.dir().join(".report.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_tests::Folder;
    use maquette_core::test_plans::plan;

    #[test]
    fn every_change_to_what_sheets_are_made_from_or_to_themselves_is_noticed() {
        let folder = Folder::new();
        let run = folder.start(&plan(&[("seed", vec!["1"])])).run().clone();
        let write = |name: &str, text: &str| {
            write_unforced(&run.dir().join(name), text.as_bytes()).unwrap();
        };
        write("program", "1");
        let program = run.dir().join("program");
        let make = || {
            for name in ["sheets/a.png", "page/data.js", "page/thumbnails/160/0.webp", "index.html"] {
                write(name, "made");
            }
            let inputs = run.report_inputs(&program, "parent@1").unwrap();
            run.remember_report(inputs, &[run.dir().join("sheets/a.png")]).unwrap();
        };
        let current =
            |others: &str| run.current_sheets(&run.report_inputs(&program, others).unwrap()).is_some();
        assert!(!current("parent@1"), "never made");
        make();
        let inputs = run.report_inputs(&program, "parent@1").unwrap();
        assert_eq!(run.current_sheets(&inputs), Some(vec![run.dir().join("sheets/a.png")]));
        assert!(!current("parent@2"));
        for nothing_is_made_from_it in [".checked.json", "submit/report.out", "plots/a.svg"] {
            write(nothing_is_made_from_it, "x");
            assert!(current("parent@1"), "{nothing_is_made_from_it}");
        }

        let changed = [
            ("program", "22"),
            ("log.csv", "x"),
            ("log-1-of-2.csv", "x"),
            ("picks.toml", "x"),
            ("votes.csv", "x"),
            ("effects.json", "x"),
            ("plan.json", "x"),
            ("references/a.png", "x"),
            ("drafts/a.png", "x"),
            ("drafts/ab/a.png", "x"),
            ("sheets/a.png", "edited"),
            ("page/data.js", "edited"),
            ("page/thumbnails/160/1.webp", "one more"),
            ("page/thumbnails/160/ab/1.webp", "one more"),
            ("index.html", "edited"),
        ];
        for (name, text) in changed {
            make();
            assert!(current("parent@1"));
            write(name, text);
            assert!(!current("parent@1"), "{name}");
        }
        for name in ["sheets/a.png", "index.html", "page/thumbnails/160/0.webp", "log.csv"] {
            make();
            std::fs::remove_file(run.dir().join(name)).unwrap();
            assert!(!current("parent@1"), "{name}");
        }
        std::fs::remove_file(&program).unwrap();
        assert_eq!(run.report_inputs(&program, ""), None);
    }
}
