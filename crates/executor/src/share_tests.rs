//! Workers that share a run, with the fake backend, on a real runs folder.

use crate::execute_tests::{Folder, counts, distinct, fake, plan};
use crate::{ExecuteError, FakeBackend, RunProgress, SharedSummary, Stop, Worker, execute_shared};
use maquette_core::{Backend, BackendError, Cell, Digest, Event, Plan};
use maquette_share::Objects;
use maquette_store::{SharedWriter, Status};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// No claim of a living worker expires during a test.
const LONG: Duration = Duration::from_secs(30);

fn join(folder: &Folder, plan: &Plan) -> SharedWriter {
    folder.runs.join(&plan.name, "", plan, &Digest::of(b"asked")).unwrap()
}

/// Runs a worker; requests a stop at that number of reported events.
fn work(
    run: &SharedWriter,
    (name, lease): (&str, Duration),
    backend: &mut dyn Backend,
    stop_at: usize,
) -> (Result<SharedSummary, ExecuteError>, Vec<RunProgress>) {
    let (start, stop) = (Instant::now(), Stop::new());
    let worker = Worker { name, lease, clock: &|| start.elapsed() };
    let mut seen = Vec::new();
    let mut report = |progress| {
        seen.push(progress);
        if seen.len() == stop_at {
            stop.request();
        }
    };
    let outcome = execute_shared(&worker, &distinct(&run.plan()), backend, run, &stop, &mut report);
    (outcome, seen)
}

#[test]
fn workers_render_every_cell_once_and_one_finishes() {
    let (folder, alone, plan) = (Folder::new(), Folder::new(), plan(&["Mucha", "Munch", "Klimt"], 40));
    alone.execute(&plan, None, &mut fake(), &[]).0.unwrap();
    let ended: Vec<(usize, SharedSummary)> = std::thread::scope(|scope| {
        let worker = |number: usize| {
            let (folder, plan) = (&folder, &plan);
            scope.spawn(move || {
                let run = join(folder, plan);
                let mut backend = FakeBackend { pause: Duration::from_millis(1), ..fake() };
                let summary = work(&run, (&format!("worker {number}"), LONG), &mut backend, 0).0.unwrap();
                (backend.pulled, summary)
            })
        };
        let threads: Vec<_> = (0..4).map(worker).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ended.iter().map(|(pulled, _)| pulled).sum::<usize>(), 120);
    assert_eq!(ended.iter().map(|(_, summary)| summary.summary.rendered).sum::<usize>(), 120);
    assert_eq!(ended.iter().filter(|(_, summary)| summary.finishes).count(), 1);
    assert!(ended.iter().all(|(_, summary)| summary.lost == 0 && !summary.summary.interrupted));
    assert_eq!(folder.results(), alone.results());
    // A worker that comes later has nothing to do.
    let run = join(&folder, &plan);
    let mut backend = fake();
    let late = work(&run, ("late", LONG), &mut backend, 0).0.unwrap();
    assert_eq!((late.finishes, late.summary.done, backend.pulled), (false, 120, 0));
}

#[test]
fn a_worker_that_stops_gives_its_cells_back_at_once() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 9));
    let (one, other) = (join(&folder, &plan), join(&folder, &plan));
    let mut backend = fake();
    // After Planned, Loading, Loaded and three times Started, three cells are in flight.
    let stopped = work(&one, ("one", LONG), &mut backend, 6).0.unwrap();
    assert_eq!((backend.pulled, stopped.summary.rendered, stopped.summary.interrupted), (3, 3, true));
    let begin = Instant::now();
    let rest = work(&other, ("other", LONG), &mut fake(), 0).0.unwrap();
    assert_eq!((rest.summary.rendered, rest.finishes), (6, true));
    assert!(begin.elapsed() < LONG / 2);
}

#[test]
fn the_cells_of_a_dead_worker_are_taken_over() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 9));
    let run = join(&folder, &plan);
    // Nobody renews this claim; the lease begins when it is first seen.
    assert!(run.objects().create("claims/0/4.1", b"dead").unwrap());
    let (lease, begin) = (Duration::from_millis(400), Instant::now());
    let summary = work(&run, ("living", lease), &mut fake(), 0).0.unwrap();
    assert_eq!((summary.summary.rendered, summary.finishes), (9, true));
    assert!(begin.elapsed() >= lease);
}

#[test]
fn failed_cells_are_tried_again_by_the_next_session() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha", "Munch"], 2));
    let run = join(&folder, &plan);
    let mut broken = FakeBackend { fail_on: Some("Munch".to_owned()), ..fake() };
    let (ended, seen) = work(&run, ("one", LONG), &mut broken, 0);
    let ended = ended.unwrap();
    assert_eq!((ended.summary.rendered, ended.summary.failures.len(), ended.finishes), (2, 2, true));
    assert_eq!(seen.iter().filter(|seen| matches!(seen, RunProgress::Failed { .. })).count(), 2);
    run.end_session(run.bring_all().unwrap()).unwrap();
    assert!(run.fold(Duration::ZERO).unwrap());
    let again = work(&join(&folder, &plan), ("two", LONG), &mut fake(), 0).0.unwrap();
    assert_eq!((again.summary.done, again.summary.rendered), (2, 2));
    assert!(folder.results().values().all(|(status, _)| *status == Status::Done));
}

#[test]
fn pictures_of_other_runs_and_of_killed_workers_are_reused() {
    let folder = Folder::new();
    folder.execute(&plan(&["Mucha"], 2), None, &mut fake(), &[]).0.unwrap();
    let both = plan(&["Mucha", "Munch"], 2);
    let mut backend = fake();
    let ended = work(&join(&folder, &both), ("one", LONG), &mut backend, 0).0.unwrap();
    assert_eq!((ended.summary.reused, ended.summary.rendered, backend.pulled), (2, 2, 2));
    let log = folder.runs.find("test@2").unwrap().log().unwrap();
    assert_eq!(log.iter().filter_map(|row| row.reused()).collect::<Vec<_>>(), ["test@1", "test@1"]);
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
fn a_worker_without_its_device_leaves_the_rest_to_others() {
    let (folder, plan) = (Folder::new(), plan(&["Mucha"], 4));
    let (one, other) = (join(&folder, &plan), join(&folder, &plan));
    assert!(matches!(work(&one, ("one", LONG), &mut Lost, 0).0, Err(ExecuteError::Backend(_))));
    let rest = work(&other, ("other", LONG), &mut fake(), 0).0.unwrap();
    assert_eq!((rest.summary.rendered, rest.finishes), (3, true));
    drop((one, other));
    let counted = counts(folder.execute(&plan, None, &mut fake(), &[]).0);
    assert_eq!((counted.done, counted.rendered), (4, 0));
}
