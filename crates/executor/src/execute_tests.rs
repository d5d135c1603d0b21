//! The loop with the fake backend, on a real runs folder.

use crate::write_queue::WAITING;
use crate::{ExecuteError, FakeBackend, Pass, RunProgress, Stop, Summary, execute};
use maquette_core::{
    Axis, AxisValue, Backend, BackendError, Cell, CellId, Digest, Event, Plan, Selection, SheetSpec, Value,
    with_defaults,
};
use maquette_store::{LogRow, RunWriter, Runs, Status, WorkKind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use tempfile::TempDir;

/// A plan of artists by seeds, two steps each, for the fake backend.
pub(crate) fn plan(artists: &[&str], seeds: usize) -> Plan {
    let value = |name: &str, value: Value| AxisValue {
        label: value.to_string(),
        set: vec![(name.to_owned(), value)],
    };
    let artist = artists.iter().map(|artist| value("artist", (*artist).into())).collect();
    let seed = (0..seeds).map(|seed| value("seed", (seed as i64).into())).collect();
    let given: [(&str, Value); 6] = [
        ("model", "a".into()),
        ("prompt", "by {artist}".into()),
        ("steps", 2.into()),
        ("width", 16.into()),
        ("height", 16.into()),
        ("dtype", "f32".into()),
    ];
    Plan {
        name: "test".to_owned(),
        title: String::new(),
        base: with_defaults(&given),
        vars: vec![],
        axes: vec![
            Axis { name: "artist".to_owned(), values: artist },
            Axis { name: "seed".to_owned(), values: seed },
        ],
        kept: Selection::All,
        drawn: BTreeMap::new(),
        models: ["a", "b"].map(|model| (model.to_owned(), FakeBackend::card(model))).into(),
        pictures: BTreeMap::new(),
        weights: BTreeMap::new(),
        trainings: Vec::new(),
        sheet: SheetSpec::default(),
        metrics: maquette_core::MetricsSpec::default(),
        naming: maquette_core::NAMING,
        numerics: 1,
        derived_from: None,
    }
}

/// A runs folder that is removed after the test.
pub(crate) struct Folder {
    _dir: TempDir,
    pub(crate) runs: Runs,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::open(dir.path()).unwrap();
        Folder { _dir: dir, runs }
    }

    fn start(&self, plan: &Plan, shard: Option<&str>) -> RunWriter {
        let shard = shard.map(|shard| shard.parse().unwrap());
        self.runs.start(&plan.name, "", plan, &Digest::of(b"asked"), shard).unwrap()
    }

    /// Runs a plan; requests a stop at each of these numbers of reported events.
    pub(crate) fn execute(
        &self,
        plan: &Plan,
        shard: Option<&str>,
        backend: &mut dyn Backend,
        stops: &[usize],
    ) -> (Result<Summary, ExecuteError>, Vec<RunProgress>) {
        let mut run = self.start(plan, shard);
        let stop = Stop::new();
        let mut seen = Vec::new();
        let mut report = |progress: RunProgress| {
            seen.push(progress);
            for _ in stops.iter().filter(|at| **at == seen.len()) {
                stop.request();
            }
        };
        let plan = run.plan();
        let pass = Pass::over(&plan, run.share(&distinct(&plan)));
        let outcome = execute(pass, backend, &mut run, &stop, &mut report);
        (outcome, seen)
    }

    /// What is in the log of the newest run: each cell, how it ended, and the bytes of its picture.
    pub(crate) fn results(&self) -> BTreeMap<CellId, (Status, Vec<u8>)> {
        let run = self.runs.latest("test").unwrap().unwrap();
        let bytes = |image: Option<&str>| image.map(|image| std::fs::read(run.dir().join(image)).unwrap());
        let log = run.log().unwrap();
        log.iter().map(|row| (row.cell(), (row.status(), bytes(row.image()).unwrap_or_default()))).collect()
    }
}

pub(crate) fn distinct(plan: &Plan) -> Vec<(usize, CellId)> {
    let mut seen = BTreeSet::new();
    let cells = plan.cells().map(|cell| cell.unwrap().id).enumerate();
    cells.filter(|(_, id)| seen.insert(*id)).collect()
}

/// A summary without the kinds of work, for comparison.
pub(crate) fn counts(summary: Result<Summary, ExecuteError>) -> Summary {
    Summary { kinds: vec![], ..summary.unwrap() }
}

pub(crate) fn fake() -> FakeBackend {
    FakeBackend::default()
}

#[test]
fn finished_cells_are_not_rendered_again() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha", "Munch"], 3));
    let mut backend = fake();
    let (summary, _) = folder.execute(&plan, None, &mut backend, &[]);
    assert_eq!(counts(summary), Summary { total: 6, rendered: 6, ..Summary::default() });
    let (summary, seen) = folder.execute(&plan, None, &mut backend, &[]);
    assert_eq!(counts(summary), Summary { total: 6, done: 6, ..Summary::default() });
    assert_eq!(seen, [RunProgress::Planned { total: 6, done: 6, reused: 0, todo: 0, drafts: false }]);
    assert_eq!(backend.pulled, 6);
}

#[test]
fn cells_of_other_runs_are_reused() {
    let folder = Folder::new();
    let mut backend = fake();
    folder.execute(&plan(&["Mucha"], 2), None, &mut backend, &[]).0.unwrap();
    let (summary, _) = folder.execute(&plan(&["Munch", "Mucha"], 3), None, &mut backend, &[]);
    assert_eq!(counts(summary), Summary { total: 6, reused: 2, rendered: 4, ..Summary::default() });
    assert_eq!(backend.pulled, 6);
    let log = folder.runs.find("test@2").unwrap().log().unwrap();
    let reused: Vec<_> = log.iter().filter_map(|row| row.reused()).collect();
    assert_eq!(reused, ["test@1", "test@1"]);
}

#[test]
fn a_failed_cell_is_a_row_and_is_tried_again() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha", "Munch"], 2));
    let mut broken = FakeBackend { fail_on: Some("Munch".to_owned()), ..fake() };
    let (summary, seen) = folder.execute(&plan, None, &mut broken, &[]);
    let summary = summary.unwrap();
    assert_eq!((summary.rendered, summary.left(), summary.interrupted), (2, 0, false));
    let failures: Vec<_> = summary.failures.iter().map(|failure| failure.label.as_str()).collect();
    assert_eq!(failures, ["Munch, seed 0", "Munch, seed 1"]);
    assert_eq!(summary.failures[0].error, "the fake engine fails on `Munch`");
    assert_eq!(seen.iter().filter(|seen| matches!(seen, RunProgress::Failed { .. })).count(), 2);
    let (summary, _) = folder.execute(&plan, None, &mut fake(), &[]);
    assert_eq!(counts(summary), Summary { total: 4, done: 2, rendered: 2, ..Summary::default() });
    assert!(folder.results().values().all(|(status, _)| *status == Status::Done));
}

#[test]
fn a_damaged_picture_is_rendered_again() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 2));
    folder.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let before = folder.results();
    let run = folder.runs.find("test").unwrap();
    let image = run.dir().join(run.log().unwrap()[1].image().unwrap());
    // Both names are one file where links work.
    let bytes = std::fs::read(&image).unwrap();
    std::fs::write(&image, &bytes[..bytes.len() / 2]).unwrap();
    let mut backend = fake();
    let (summary, _) = folder.execute(&plan, None, &mut backend, &[]);
    assert_eq!((summary.unwrap().done, backend.pulled), (1, 1));
    assert_eq!(folder.results(), before);
}

#[test]
fn a_model_is_loaded_once_even_when_the_plan_alternates() {
    let folder = Folder::new();
    let mut plan = plan(&["Mucha"], 3);
    let value =
        |model: &str| AxisValue { label: model.to_owned(), set: vec![("model".to_owned(), model.into())] };
    plan.axes.push(Axis { name: "model".to_owned(), values: vec![value("b"), value("a")] });
    let (_, seen) = folder.execute(&plan, None, &mut fake(), &[]);
    let loaded: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            RunProgress::Loading { model } => Some(model.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(loaded, ["b", "a"]);
    let started: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            RunProgress::Started { label, .. } => Some(label.as_str()),
            _ => None,
        })
        .collect();
    let expected =
        ["b", "a"].map(|model| [0, 1, 2].map(|seed| format!("Mucha, seed {seed}, {model}"))).concat();
    assert_eq!(started, expected);
}

#[test]
fn the_first_stop_finishes_cells_in_flight_and_the_second_does_not() {
    let stopped = |stops: &[usize]| {
        let (folder, plan) = (Folder::new(), plan(&["Mucha"], 9));
        let mut backend = fake();
        let (summary, _) = folder.execute(&plan, None, &mut backend, stops);
        let summary = summary.unwrap();
        assert!(summary.interrupted);
        assert_eq!(summary.left() + summary.rendered, 9);
        (backend.pulled, summary.rendered)
    };
    // After Planned, Loading, Loaded and three times Started, three cells are in flight.
    assert_eq!(stopped(&[6]), (3, 3));
    assert_eq!(stopped(&[6, 7]), (3, 0));
    assert_eq!(stopped(&[1]), (0, 0));
}

#[test]
fn measurements_are_saved() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 2));
    folder.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let cell = plan.cell(0).unwrap();
    let work = WorkKind::of(&cell.settings, &plan.models["a"].fingerprint, "fake");
    assert_eq!(folder.runs.timings().steps(&work).unwrap().count, 4);
}

#[test]
fn a_record_that_cannot_be_written_ends_the_run() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 50));
    // A file in place of the folder for pictures.
    std::fs::write(folder.runs.root().join(".cells"), "").unwrap();
    let mut backend = fake();
    let (outcome, _) = folder.execute(&plan, None, &mut backend, &[]);
    let error = outcome.unwrap_err();
    assert!(matches!(&error, ExecuteError::Store(_)) && error.to_string().contains(".cells"), "{error}");
    // Three rows, those that are written at once, those that wait, one more that is not accepted.
    assert!(backend.pulled <= 3 + (1 + WAITING) + WAITING + 1, "{} cells were pulled", backend.pulled);
    assert!(folder.results().is_empty());
}

#[test]
fn cells_that_ended_before_an_error_are_recorded_in_order() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 30));
    // A file in place of the folder of the eighth cell, or the next one whose folder no earlier cell needs.
    let cells = distinct(&plan);
    let prefix = |id: &CellId| id.to_string()[..2].to_owned();
    let (bad, _) = cells
        .iter()
        .enumerate()
        .skip(7)
        .map(|(at, (_, id))| (at, prefix(id)))
        .find(|(at, name)| cells[..*at].iter().all(|(_, id)| prefix(id) != *name))
        .unwrap();
    let cells_folder = folder.runs.root().join(".cells");
    std::fs::create_dir_all(&cells_folder).unwrap();
    std::fs::write(cells_folder.join(prefix(&cells[bad].1)), "").unwrap();
    let mut backend = FakeBackend { rows: 1, ..fake() };
    let (outcome, seen) = folder.execute(&plan, None, &mut backend, &[]);
    assert!(matches!(outcome, Err(ExecuteError::Store(_))), "{outcome:?}");
    let expected: Vec<CellId> = cells[..bad].iter().map(|(_, id)| *id).collect();
    let log = folder.runs.latest("test").unwrap().unwrap().log().unwrap();
    assert_eq!(log.iter().map(LogRow::cell).collect::<Vec<_>>(), expected);
    let finished = seen.iter().filter_map(|seen| match seen {
        RunProgress::Finished { record } => Some(record.cell.id),
        _ => None,
    });
    assert_eq!(finished.collect::<Vec<_>>(), expected, "reported cells are in the log");
}

/// Breaks the contract: starts a cell and forgets it.
struct Forgetful;

impl Backend for Forgetful {
    fn device(&self) -> String {
        "none".to_owned()
    }

    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        _: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        cells.next();
        Ok(())
    }
}

#[test]
fn a_cell_that_the_backend_forgets_is_an_error() {
    let (outcome, _) = Folder::new().execute(&plan(&["Mucha"], 1), None, &mut Forgetful, &[]);
    let Err(ExecuteError::Backend(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().ends_with("was started but never ended"), "{error}");
}

/// Renders one cell, starts another, and loses its device.
struct Lost;

impl Backend for Lost {
    fn device(&self) -> String {
        "fake".to_owned()
    }

    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        fake().render(&mut cells.take(1), events)?;
        cells.next();
        Err(BackendError { message: "the device stopped working".to_owned(), source: None })
    }
}

#[test]
fn a_lost_device_leaves_the_rest_to_do() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 4));
    let (outcome, _) = folder.execute(&plan, None, &mut Lost, &[]);
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "the engine stopped");
    assert!(error.hint().unwrap().contains("Finished cells are kept"));
    assert_eq!(folder.results().len(), 1, "the cell that was started has no row");
    let summary = folder.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    assert_eq!((summary.total, summary.done, summary.rendered, summary.left()), (4, 1, 3, 0));
    assert!(summary.failures.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_stopped_and_resumed_run_has_the_same_results(
        seeds in 1usize..6,
        rows in 1usize..5,
        first in 1usize..40,
        gap in 0usize..6,
    ) {
        let plan = plan(&["Mucha", "Munch"], seeds);
        let uninterrupted = Folder::new();
        uninterrupted.execute(&plan, None, &mut fake(), &[]).0.unwrap();

        let folder = Folder::new();
        let backend = || FakeBackend { rows, ..fake() };
        let total = distinct(&plan).len();
        for stops in [vec![first], vec![first, first + gap], vec![first + gap]] {
            let (summary, seen) = folder.execute(&plan, None, &mut backend(), &stops);
            let summary = summary.unwrap();
            let RunProgress::Planned { total: planned, done, reused, todo, .. } = seen[0] else { panic!("{seen:?}") };
            prop_assert_eq!(planned, total);
            prop_assert_eq!(done + reused + todo, total);
            prop_assert_eq!(summary.done + summary.rendered + summary.left(), total);
            prop_assert_eq!(summary.interrupted, summary.left() > 0);
        }
        folder.execute(&plan, None, &mut backend(), &[]).0.unwrap();
        prop_assert_eq!(folder.results(), uninterrupted.results());
    }

    #[test]
    fn shards_render_every_cell_once(seeds in 1usize..6, shards in 1usize..5) {
        let plan = plan(&["Mucha", "Munch"], seeds);
        let folder = Folder::new();
        let mut backend = fake();
        for shard in 1..=shards {
            folder.execute(&plan, Some(&format!("{shard}/{shards}")), &mut backend, &[]).0.unwrap();
        }
        prop_assert_eq!(backend.pulled, distinct(&plan).len());
        let expected: BTreeSet<CellId> = distinct(&plan).into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(folder.results().into_keys().collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn a_panic_fails_its_cell_and_no_other() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha", "Munch", "Klimt"], 3));
    let mut backend = FakeBackend { panic_on: Some("Munch".to_owned()), ..fake() };
    let (summary, seen) = folder.execute(&plan, None, &mut backend, &[]);
    let summary = summary.unwrap();
    assert_eq!((summary.rendered, summary.failures.len(), summary.left()), (6, 3, 0));
    for failure in &summary.failures {
        assert_eq!(failure.error, "the engine panicked: the fake engine panics on `Munch`");
        assert!(failure.label.contains("Munch"), "{failure:?}");
    }
    let finished = seen.iter().filter(|event| matches!(event, RunProgress::Finished { .. })).count();
    assert_eq!(finished, 6);
    // The next run tries them again.
    let (summary, _) = folder.execute(&plan, None, &mut fake(), &[]);
    assert_eq!(counts(summary), Summary { total: 9, done: 6, rendered: 3, ..Summary::default() });
}

/// Panics whatever it is given.
struct Broken;

impl Backend for Broken {
    fn device(&self) -> String {
        "fake".to_owned()
    }

    fn render(
        &mut self,
        _: &mut dyn Iterator<Item = Cell>,
        _: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        panic!("no device")
    }
}

#[test]
fn a_panic_without_a_cell_ends_the_run() {
    let folder = Folder::new();
    let error = folder.execute(&plan(&["Mucha"], 2), None, &mut Broken, &[]).0.unwrap_err();
    assert!(
        matches!(error, ExecuteError::Backend(error) if error.message == "the engine panicked: no device")
    );
}
