//! The loop itself.

use crate::recorder::{Ended, RunRecorder};
use crate::todo::{Todo, todo};
use crate::write_queue::with_writer;
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
/// Pictures are encoded and written on another thread while the backend goes on; a cell is reported as finished when its
/// row is in the log. The warnings are pictures that are not what was rendered and damaged rows of the log, whose cells are
/// rendered again.
///
/// Ends early, without an error, when `stop` is requested: the first time when the cells in flight have ended, the
/// second time at the backend's next event. Whatever ended before is recorded, also when an
/// error is returned; after a record that could not be written nothing more is.
pub fn execute(
    cells: &[(usize, CellId)],
    backend: &mut dyn Backend,
    run: &mut RunWriter,
    stop: &Stop,
    report: &mut dyn FnMut(RunProgress),
) -> Result<Summary, ExecuteError> {
    let Todo { total, done, reused, render, warnings } = todo(cells, run, stop)?;
    report(RunProgress::Planned { total, done, reused, todo: render.len() });
    for (cell, warning) in warnings {
        report(RunProgress::Warned { cell, warning });
    }
    let summary = Summary { total, done, reused, ..Summary::default() };
    if render.is_empty() || stop.is_requested() {
        return Ok(Summary { interrupted: !render.is_empty(), ..summary });
    }

    let (plan, device) = (run.plan(), backend.device());
    let write = |ended: Ended| ended.write(run, &device);
    let (outcome, mut summary, measured) = with_writer(write, |queue| {
        // The backend holds both callbacks at once and calls one at a time.
        let recorder = RefCell::new(RunRecorder::new(plan, queue, stop, report, &device, render, summary));
        let rendered = backend
            .render(&mut std::iter::from_fn(|| recorder.borrow_mut().pull()), &mut |event| {
                recorder.borrow_mut().event(event)
            });
        recorder.into_inner().close(rendered.map_err(Into::into))
    });
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
