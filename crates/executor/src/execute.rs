//! The loop: renders what is left of a run and records it.

use crate::pass::{Pass, Queue};
use crate::recorder::{Ended, RunRecorder};
use crate::render::render;
use crate::source::PassSource;
use crate::todo::{Todo, todo};
use crate::write_queue::with_writer;
use crate::{ExecuteError, RunProgress, Stop, Summary};
use maquette_core::Backend;
use maquette_store::RunWriter;
use std::cell::RefCell;

/// Renders what is left of a run and records each cell as it ends.
///
/// Cells that are done by the run's log are skipped, pictures that other runs have finished are reused, cells that failed
/// before are tried again. Cells are grouped by model, so that each is loaded once, unless their ranks differ.
///
/// Pictures are encoded and written on another thread while the backend renders; a cell is reported as finished when its
/// row is in the log. Warnings name pictures that differ from the rendered ones and damaged rows of the log; their cells
/// are rendered again.
///
/// Ends early, without an error, when `stop` is requested: after the first request when the cells in flight have ended,
/// after the second at the backend's next event. Cells that ended before are recorded, even if an error is returned; after
/// a record that could not be written, no more are written.
pub fn execute(
    pass: Pass<'_>,
    backend: &mut dyn Backend,
    run: &mut RunWriter,
    stop: &Stop,
    report: &mut dyn FnMut(RunProgress),
) -> Result<Summary, ExecuteError> {
    let Todo { total, done, reused, render: left, warnings } = todo(&pass, run, stop)?;
    report(RunProgress::Planned { total, done, reused, todo: left.len(), drafts: pass.drafts });
    for (cell, warning) in warnings {
        report(RunProgress::Warned { cell, warning });
    }
    let summary = Summary { total, done, reused, ..Summary::default() };
    if left.is_empty() || stop.is_requested() {
        return Ok(Summary { interrupted: !left.is_empty(), ..summary });
    }

    backend.expect(&mut left.iter().filter_map(|(number, _)| (pass.cell)(*number).ok()));
    let (plan, device) = (run.plan(), backend.device());
    let write = |ended: Vec<Ended>| Ended::write(ended, run);
    let (outcome, mut summary, measured) = with_writer(write, |queue| {
        // The backend holds both callbacks at once and calls one at a time.
        let recorder = RefCell::new(RunRecorder::new(
            plan,
            Box::new(PassSource { pass, queue: Queue::new(left) }),
            queue,
            stop,
            report,
            &device,
            summary,
        ));
        let rendered = render(backend, &recorder, &mut || {});
        recorder.into_inner().close(rendered)
    });
    // A run does not fail because measurements cannot be saved.
    if let Err(error) = run.remember(&measured) {
        report(RunProgress::Warned { cell: None, warning: format!("{error}, so estimates are not updated") });
    }
    outcome?;
    summary.interrupted = summary.left() > 0;
    Ok(summary)
}
