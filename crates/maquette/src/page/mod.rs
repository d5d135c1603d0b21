//! The page of a run: `index.html` in its folder, with data and thumbnails in `page/`.
//!
//! It is written when a run starts, from time to time while it goes on, and when it ends.

mod ancestry;
mod comparison;
mod outcomes;
mod pictures;
mod refresh;
mod relative;
mod thumbnails;
mod trainings;

pub(crate) use ancestry::ancestry;
pub(crate) use refresh::keep_writing;

use crate::Workspace;
use crate::clock::now;
use crate::effects::stored_effects;
use crate::error::{Error, with_causes};
use maquette_core::{Plan, Value, Vote};
use maquette_picture::size;
use maquette_planner::{Line, experiment, folder};
use maquette_reporter::page::{
    APP_CSS, APP_JS, AboutRun, Ancestor, PageState, Picks, PicturesNow, PlannedPage, Reference,
    ThumbnailFolder, data_script, index_html, run_page, state_script,
};
use maquette_store::{Log, LogRow, Run, Runs};
use pictures::{KnownPictures, damaged_text};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use trainings::{NeededTraining, needed_trainings, trainings};

/// How many damaged rows of a log a page lists.
const MOST_DAMAGED: usize = 20;

impl Workspace {
    /// Writes the page of a run, named as in [`Workspace::report`], and returns its path: `index.html` in the run's folder.
    /// `warn` gets what the page lacks.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read, or the page cannot be written.
    pub fn write_page(&self, run: &str, warn: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
        let run = self.runs.find(run)?;
        write(&self.runs, &run, &run.plan()?, warn)
    }
}

/// Writes the page of a run with all thumbnails.
pub(crate) fn write(
    runs: &Runs,
    run: &Run,
    plan: &Plan,
    warn: &mut dyn FnMut(&str),
) -> Result<PathBuf, Error> {
    let mut writer = PageWriter::new(runs, run, plan)?;
    if let Err(error) = writer.finish_thumbnails() {
        warn(&format!("some thumbnails could not be made: {}", with_causes(&error)));
    }
    writer.write(run.is_in_use())
}

/// Writes the page of one run, again and again.
pub(crate) struct PageWriter<'a> {
    run: &'a Run,
    plan: &'a Plan,
    planned: PlannedPage,
    references: Vec<Reference>,
    ancestry: Vec<Ancestor>,
    trainings: Vec<NeededTraining<'a>>,
    pictures: KnownPictures,
    /// The resolved experiment.
    toml: String,
    /// Remarks that do not depend on the log.
    notes: Vec<String>,
    /// What the page said last.
    state: Option<PageState>,
}

impl<'a> PageWriter<'a> {
    /// `runs`: where the runs are that this one was derived from.
    pub fn new(runs: &Runs, run: &'a Run, plan: &'a Plan) -> Result<PageWriter<'a>, Error> {
        let mut planned = PlannedPage::new(plan, &toml_lines)?;
        let mut notes = Vec::new();
        let toml = run.experiment().unwrap_or_else(|error| {
            notes.push(with_causes(&error));
            String::new()
        });
        if let Some(folder) = folder(&toml).filter(|_| !plan.pictures.is_empty() || !plan.weights.is_empty())
        {
            planned.toml_head.insert_str(0, &toml_lines(&[("folder", folder.as_str().into())]));
        }
        let references = planned.references.iter().map(|path| reference(run, plan, path)).collect();
        let pictures = KnownPictures::new(plan, planned.cells.clone(), planned.longest_edge());
        let ancestry = ancestry(runs, run, plan);
        let trainings = needed_trainings(plan)?;
        Ok(PageWriter {
            run,
            plan,
            planned,
            references,
            ancestry,
            trainings,
            pictures,
            toml,
            notes,
            state: None,
        })
    }

    /// Reads the log, and writes all files of the page but the thumbnails. `in_use`: whether a process renders into the
    /// run.
    pub fn write(&mut self, in_use: bool) -> Result<PathBuf, Error> {
        let log = self.run.read_log()?;
        let mut notes = self.notes(&log);
        let drafts = self.run.drafts().unwrap_or_else(|error| {
            notes.push(with_causes(&error));
            HashMap::new()
        });
        self.pictures.update(self.run, &log, &drafts);
        let (picks, votes) = (self.picks(&mut notes), self.votes(&mut notes));
        let pictures = PicturesNow {
            facts: self.pictures.facts(&log),
            logged: outcomes::columns(&self.planned.cells, &log),
            thumbnails: self
                .pictures
                .sizes()
                .iter()
                .map(|of| ThumbnailFolder { folder: of.folder(), edge: of.edge, spread: of.spread })
                .collect(),
            references: self.references.clone(),
        };
        let about = AboutRun {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.run.to_string(),
            experiment: self.plan.name.clone(),
            number: self.run.number(),
            title: self.plan.title.clone(),
            toml: self.toml.clone(),
            in_use,
            ancestry: self.ancestry.clone(),
            picks,
            votes,
            // Computed by `maquette effects`, and valid for the pictures that it saw.
            effects: stored_effects(self.run),
            trainings: trainings(self.run, &self.trainings),
            notes,
        };
        let page = run_page(&self.planned, about, pictures);
        let heading =
            if self.plan.title.is_empty() { String::new() } else { format!("{} · ", self.plan.title) };
        self.run.write_page_file("app.js", APP_JS)?;
        self.run.write_page_file("app.css", APP_CSS)?;
        self.run.write_page_file("data.js", data_script(&page).as_bytes())?;
        // After the data: a page that sees a new revision loads it.
        self.state = Some(page.state(now()));
        self.say_state()?;
        Ok(self.run.write_page(&index_html(&format!("{heading}{}", self.run)))?)
    }

    /// Says again what the page said last, with the time, so that a reader sees that the run goes on.
    pub fn say_again(&mut self) -> Result<(), Error> {
        self.state.iter_mut().for_each(|state| state.written = now());
        self.say_state()
    }

    fn say_state(&self) -> Result<(), Error> {
        let Some(state) = &self.state else { return Ok(()) };
        Ok(self.run.write_page_file("state.js", state_script(state).as_bytes())?)
    }

    /// Makes all thumbnails that are missing, on all cores, and removes those of cells that are gone.
    pub fn finish_thumbnails(&mut self) -> Result<(), Error> {
        let log = self.run.read_log()?;
        self.pictures.update(self.run, &log, &self.run.drafts().unwrap_or_default());
        self.pictures.make_all_thumbnails(self.run)?;
        self.run.remove_other_thumbnails(self.pictures.sizes(), &self.pictures.with_thumbnails())?;
        Ok(())
    }

    /// Makes thumbnails that are missing as long as `more` says so. Returns whether any was made.
    pub fn make_some_thumbnails(&mut self, more: &mut dyn FnMut() -> bool) -> Result<bool, Error> {
        self.pictures.make_some_thumbnails(self.run, more)
    }

    /// The marks and notes of the run's cells; `notes` gets what cannot be used. Nothing of it is lost: it stays in the file.
    fn picks(&self, notes: &mut Vec<String>) -> Picks {
        match self.run.picks() {
            Ok(picks) => {
                notes.extend(picks.problems);
                picks.cells
            }
            Err(error) => {
                notes.push(with_causes(&error));
                Picks::new()
            }
        }
    }

    /// The votes between cells; `notes` gets what cannot be used.
    fn votes(&self, notes: &mut Vec<String>) -> Vec<Vote> {
        match self.run.votes() {
            Ok(votes) => {
                notes.extend(votes.problems);
                votes.votes
            }
            Err(error) => {
                notes.push(with_causes(&error));
                Vec::new()
            }
        }
    }

    fn notes(&self, log: &Log) -> Vec<String> {
        let mut notes = self.notes.clone();
        notes.extend(log.damaged.iter().take(MOST_DAMAGED).map(damaged_text));
        if log.damaged.len() > MOST_DAMAGED {
            notes.push(format!("{} more rows of the log are damaged", log.damaged.len() - MOST_DAMAGED));
        }
        let planned: HashSet<_> = self.planned.cells.iter().collect();
        let others = log.rows.iter().filter(|row| !planned.contains(&LogRow::cell(row))).count();
        if others > 0 {
            notes.push(format!(
                "the log has {others} cell{} that the plan does not have, as after an update of maquette; `images/` has \
                 the pictures",
                if others == 1 { "" } else { "s" }
            ));
        }
        notes
    }
}

/// The lines of an experiment of one cell.
fn toml_lines(settings: &[(&'static str, Value)]) -> String {
    let line = |(name, value): &(&str, Value)| Line {
        name: (*name).to_owned(),
        value: value.clone(),
        remark: String::new(),
    };
    experiment(&[], &settings.iter().map(line).collect::<Vec<_>>())
}

/// A reference picture by its path in the experiment. If its copy in the run cannot be read, the page shows that it is
/// missing.
fn reference(run: &Run, plan: &Plan, path: &str) -> Reference {
    let file = plan.pictures.get(path).map(|picture| picture.file.clone()).unwrap_or_default();
    let name = file.strip_prefix(run.dir()).unwrap_or(&file).to_string_lossy().replace('\\', "/");
    Reference { image: name, size: size(&file).unwrap_or((0, 0)) }
}
