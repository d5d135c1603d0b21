//! The page of a run, from its plan and from what is known of its pictures.

use super::columns::LoggedColumn;
use super::script::revision;
use super::{
    Ancestor, FORMAT, PageState, Picks, PictureStatus, Pictures, PlannedPage, Reference, RunInfo, RunPage,
    RunState, ThumbnailFolder, Training,
};
use maquette_analysis::Effects;
use maquette_core::Vote;

/// What a page says about its run, except for what its plan and pictures determine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AboutRun {
    /// The version of the program.
    pub version: String,
    /// Such as `mucha@2`.
    pub name: String,
    /// The experiment's name.
    pub experiment: String,
    /// The number of the run.
    pub number: usize,
    /// The experiment's title, or empty.
    pub title: String,
    /// The resolved experiment file.
    pub toml: String,
    /// Whether a process renders into the run now.
    pub in_use: bool,
    /// Remarks for the reader, each a sentence without its full stop.
    pub notes: Vec<String>,
    /// The runs that it was derived from, nearest first.
    pub ancestry: Vec<Ancestor>,
    /// The picks in the run folder.
    pub picks: Picks,
    /// The votes in the run folder.
    pub votes: Vec<Vote>,
    /// How much the pictures change along the axes, where that was computed.
    pub effects: Vec<Effects>,
    /// The trainings that its cells need.
    pub trainings: Vec<Training>,
}

/// What is known of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFacts {
    /// Whether it was rendered.
    pub status: PictureStatus,
    /// Its file as a URL relative to the page; `None` without one that can be shown.
    pub image: Option<String>,
    /// Its size in pixels; `None` for the planned size.
    pub size: Option<(u32, u32)>,
    /// Why there is no picture, or why it cannot be shown.
    pub problem: Option<String>,
    /// Whether the picture is a draft.
    pub draft: bool,
    /// Whether it has all thumbnails.
    pub thumbnail: bool,
}

/// Everything that a page shows of the pictures besides their settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PicturesNow {
    /// Facts about each picture, in the order of [`PlannedPage::cells`].
    pub facts: Vec<PictureFacts>,
    /// The outcomes and metrics, in the log's order.
    pub logged: Vec<LoggedColumn>,
    /// The folders of thumbnails, smallest first.
    pub thumbnails: Vec<ThumbnailFolder>,
    /// The reference pictures, in the order of [`PlannedPage::references`].
    pub references: Vec<Reference>,
}

impl PictureFacts {
    /// A cell that has not been rendered.
    pub fn missing() -> PictureFacts {
        PictureFacts {
            status: PictureStatus::Missing,
            image: None,
            size: None,
            problem: None,
            draft: false,
            thumbnail: false,
        }
    }
}

/// The page of a run.
pub fn run_page(planned: &PlannedPage, about: AboutRun, now: PicturesNow) -> RunPage {
    let PicturesNow { facts, logged, thumbnails, references } = now;
    let state = state(&facts, about.in_use);
    let size = |(fact, planned): (&PictureFacts, &(u32, u32))| fact.size.unwrap_or(*planned);
    let pictures = Pictures {
        count: planned.cells.len(),
        cell: planned.cells.iter().map(ToString::to_string).collect(),
        status: facts.iter().map(|fact| fact.status).collect(),
        size: facts.iter().zip(&planned.sizes).map(size).collect(),
        draft: facts.iter().map(|fact| fact.draft).collect(),
        thumbnail: facts.iter().map(|fact| fact.thumbnail).collect(),
        problem: facts.iter().map(|fact| fact.problem.clone()).collect(),
        image: facts.into_iter().map(|fact| fact.image).collect(),
        thumbnails,
        reference: planned.reference.clone(),
        references,
        columns: planned
            .columns
            .iter()
            .cloned()
            .chain(logged.into_iter().map(LoggedColumn::into_column))
            .collect(),
        toml_head: planned.toml_head.clone(),
    };
    let run = RunInfo {
        name: about.name,
        experiment: about.experiment,
        number: about.number,
        title: about.title,
        toml: about.toml,
        state,
        notes: about.notes,
    };
    let mut page = RunPage {
        format: FORMAT,
        kind: "run",
        version: about.version,
        revision: String::new(),
        run,
        grid: planned.grid.clone(),
        pictures,
        ancestry: about.ancestry,
        picks: about.picks,
        votes: about.votes,
        effects: about.effects,
        trainings: about.trainings,
    };
    page.revision = revision(&page);
    page
}

/// A run tries failed cells again and replaces drafts, so as long as a process renders into it these are not its last word.
fn state(facts: &[PictureFacts], in_use: bool) -> RunState {
    let is_final = |fact: &PictureFacts| fact.status == PictureStatus::Done && !fact.draft;
    let has_ended = |fact: &PictureFacts| is_final(fact) || fact.status == PictureStatus::Failed;
    match in_use {
        _ if facts.iter().all(is_final) => RunState::Complete,
        true => RunState::Running,
        false if facts.iter().all(has_ended) => RunState::Complete,
        false => RunState::Incomplete,
    }
}

impl RunPage {
    /// The part that an open page asks for again and again. `written`: the time, in seconds since 1970.
    pub fn state(&self, written: u64) -> PageState {
        let Pictures { status, draft, count, .. } = &self.pictures;
        let done =
            status.iter().zip(draft).filter(|(status, draft)| **status == PictureStatus::Done && !**draft);
        PageState {
            revision: self.revision.clone(),
            state: self.run.state,
            done: done.count(),
            total: *count,
            written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_running_until_its_last_cell_is_final() {
        let done = PictureFacts { status: PictureStatus::Done, ..PictureFacts::missing() };
        let draft = PictureFacts { draft: true, ..done.clone() };
        let failed = PictureFacts { status: PictureStatus::Failed, ..PictureFacts::missing() };
        let check = |facts: &[&PictureFacts], in_use: RunState, not_in_use: RunState| {
            let facts: Vec<PictureFacts> = facts.iter().map(|&fact| fact.clone()).collect();
            assert_eq!((state(&facts, true), state(&facts, false)), (in_use, not_in_use), "{facts:?}");
        };
        check(&[&done, &done], RunState::Complete, RunState::Complete);
        check(&[&done, &PictureFacts::missing()], RunState::Running, RunState::Incomplete);
        check(&[&done, &draft], RunState::Running, RunState::Incomplete);
        check(&[&draft, &draft], RunState::Running, RunState::Incomplete);
        // Tried again by the process, or by the next one.
        check(&[&done, &failed], RunState::Running, RunState::Complete);
        check(&[&failed, &draft], RunState::Running, RunState::Incomplete);
    }
}
