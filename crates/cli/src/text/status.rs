//! How far a run is, as text and as JSON.

use crate::output;
use maquette::{RunStatus, Sharing, WorkerCells};
use serde_json::json;

/// A line about the cells, a table of the workers, and what the queue says.
pub fn status(status: &RunStatus, queue: Option<&str>) -> String {
    let RunStatus { run, cells, done, failed, sharing, submission } = status;
    let left = cells.saturating_sub(done + failed);
    let mut text = format!("{run}: {cells} cells, {done} done, {failed} failed, {left} left\n");
    if let Some(Sharing { workers, finishing }) = sharing {
        if !workers.is_empty() {
            let row = |(name, worker): (&String, &WorkerCells)| {
                vec![name.clone(), worker.recorded.to_string(), worker.held.to_string()]
            };
            text += &output::table(&["worker", "cells recorded", "groups claimed"], workers.iter().map(row));
        }
        if *finishing {
            text += "every cell has ended; the last worker draws the sheets\n";
        }
    }
    match (submission, queue) {
        (Some(jobs), Some(said)) => text += &format!("{} says:\n{said}\n", jobs.queue),
        (Some(jobs), None) => {
            text += &format!(
                "submitted to {} as job {}; its queue says nothing about it\n",
                jobs.queue, jobs.workers
            );
        }
        (None, _) => {}
    }
    text
}

/// The same as JSON.
pub fn status_json(status: &RunStatus, queue: Option<&str>) -> String {
    let RunStatus { run, cells, done, failed, sharing, submission } = status;
    let workers: Option<Vec<_>> = sharing.as_ref().map(|sharing| {
        let worker = |(name, worker): (&String, &WorkerCells)| {
            json!({ "name": name, "cells_recorded": worker.recorded, "groups_claimed": worker.held })
        };
        sharing.workers.iter().map(worker).collect()
    });
    let jobs = submission.as_ref().map(
        |jobs| json!({ "queue": jobs.queue, "workers": jobs.workers, "report": jobs.report, "state": queue }),
    );
    output::json(&json!({
        "run": run.to_string(),
        "folder": run.dir(),
        "cells": cells,
        "done": done,
        "failed": failed,
        "workers": workers,
        "submission": jobs,
    }))
}
