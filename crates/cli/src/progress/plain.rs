//! A line per cell, for logs and pipes.

use super::display::Display;
use crate::output::message;
use crate::text::{planned, training_line};
use maquette::{CellId, Outcome, RunProgress, TrainingProgress};
use std::collections::HashMap;

/// Plain lines.
pub struct Plain {
    labels: HashMap<CellId, String>,
    ended: usize,
    todo: usize,
}

impl Plain {
    pub fn new() -> Plain {
        Plain { labels: HashMap::new(), ended: 0, todo: 0 }
    }

    fn end(&mut self, cell: &CellId, outcome: &str) {
        self.ended += 1;
        let label = self.labels.remove(cell).unwrap_or_else(|| cell.short());
        message(format_args!("{}/{} {label}: {outcome}", self.ended, self.todo));
    }
}

impl Display for Plain {
    fn train(&mut self, progress: &TrainingProgress<'_>) {
        training_line(progress).into_iter().for_each(message);
    }

    fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Planned { total, done, reused, todo, drafts } => {
                // After the drafts come the pictures.
                (self.todo, self.ended) = (*todo, 0);
                message(planned(*total, *done, *reused, *todo, *drafts));
            }
            RunProgress::Loading { model } => message(format_args!("loading {model}")),
            RunProgress::Loaded { model, seconds } => {
                message(format_args!("loaded {model} in {seconds:.1} s"));
            }
            RunProgress::Started { cell, label, .. } => {
                self.labels.insert(*cell, label.clone());
            }
            RunProgress::Stepped { .. } => {}
            RunProgress::Finished { record } => {
                let seconds = record.seconds.unwrap_or(0.0);
                self.end(&record.cell.id, &format!("{seconds:.1} s"));
            }
            RunProgress::Failed { record } => {
                if let Outcome::Failed { error } = &record.outcome {
                    self.end(&record.cell.id, &format!("failed: {error}"));
                }
            }
            RunProgress::Warned { warning, .. } => message(format_args!("warning: {warning}")),
        }
    }
}
