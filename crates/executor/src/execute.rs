//! The loop itself.

use crate::recorder::RunRecorder;
use crate::todo::todo;
use crate::{ExecuteError, RunProgress, Stop, Summary};
use maquette_core::{Backend, CellId};
use maquette_store::RunWriter;
use std::cell::RefCell;

/// Renders what is still to do of a run and records each cell as it ends.
///
/// `cells` are the distinct cells of [`RunWriter::plan`]: the number of each and its name, in the plan's order. Of
/// these the run's shard takes its share. Cells that the run's log says are done are skipped, pictures that other runs
/// have finished are taken over, cells that failed before are tried again.
///
/// Ends early, without an error, when `stop` is requested: the first time when the cells in flight have ended, the
/// second time at the backend's next event. Whatever ended before is recorded, also when an error is returned.
pub fn execute(
    cells: &[(usize, CellId)],
    backend: &mut dyn Backend,
    run: &mut RunWriter,
    stop: &Stop,
    report: &mut dyn FnMut(RunProgress),
) -> Result<Summary, ExecuteError> {
    let todo = todo(cells, run, stop)?;
    let (total, done, reused) = (todo.total, todo.done, todo.reused);
    report(RunProgress::Planned { total, done, reused, todo: todo.render.len() });
    let summary = Summary { total, done, reused, ..Summary::default() };
    if todo.render.is_empty() || stop.is_requested() {
        return Ok(Summary { interrupted: !todo.render.is_empty(), ..summary });
    }

    let device = backend.device();
    // The backend holds both callbacks at once and calls one at a time.
    let recorder = RefCell::new(RunRecorder::new(run, stop, report, device, todo.render, summary));
    let rendered = backend.render(&mut std::iter::from_fn(|| recorder.borrow_mut().pull()), &mut |event| {
        recorder.borrow_mut().event(event)
    });

    let mut recorder = recorder.into_inner();
    let outcome = match recorder.fatal.take() {
        Some(fatal) => Err(fatal),
        None => rendered.map_err(Into::into).and_then(|()| recorder.check_finished()),
    };
    let (mut summary, measured) = recorder.into_parts();
    // An estimate that cannot be kept is no reason to fail.
    if let Err(error) = run.remember(&measured) {
        report(RunProgress::Warned {
            cell: None,
            warning: format!("{error}, so estimates stay as they were"),
        });
    }
    outcome?;
    summary.interrupted = summary.left() > 0;
    Ok(summary)
}
