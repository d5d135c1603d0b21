//! A line per cell, for logs and pipes.

use super::Display;
use crate::output::message;
use maquette::RunProgress;
use maquette::{CellId, Outcome};
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

    fn ended(&mut self, cell: &CellId, what: &str) {
        self.ended += 1;
        let label = self.labels.remove(cell).unwrap_or_else(|| cell.short());
        message(format_args!("{}/{} {label}: {what}", self.ended, self.todo));
    }
}

impl Display for Plain {
    fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Planned { total, done, reused, todo } => {
                self.todo = *todo;
                message(planned(*total, *done, *reused, *todo));
            }
            RunProgress::Loading { model } => message(format_args!("loading {model}")),
            RunProgress::Loaded { model, seconds } => {
                message(format_args!("loaded {model} in {seconds:.1} s"))
            }
            RunProgress::Started { cell, label, .. } => {
                self.labels.insert(*cell, label.clone());
            }
            RunProgress::Stepped { .. } => {}
            RunProgress::Finished { record } => {
                let seconds = record.seconds.unwrap_or(0.0);
                self.ended(&record.cell.id, &format!("{seconds:.1} s"));
            }
            RunProgress::Failed { record } => {
                if let Outcome::Failed { error } = &record.outcome {
                    self.ended(&record.cell.id, &format!("failed: {error}"));
                }
            }
            RunProgress::Warned { warning, .. } => message(format_args!("warning: {warning}")),
        }
    }
}

/// What there is to do, in words.
pub fn planned(total: usize, done: usize, reused: usize, todo: usize) -> String {
    let mut text = format!("{total} {}", if total == 1 { "cell" } else { "cells" });
    for (count, what) in [(done, "done before"), (reused, "taken over from other runs")] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    if todo == 0 { text + ", nothing to render" } else { text + &format!(", {todo} to render") }
}

#[cfg(test)]
mod tests {
    use super::planned;

    #[test]
    fn what_there_is_to_do_is_said_in_words() {
        let check = |(total, done, reused, todo), expected: &str| {
            assert_eq!(planned(total, done, reused, todo), expected);
        };
        check((1, 0, 0, 1), "1 cell, 1 to render");
        check((48, 40, 3, 5), "48 cells, 40 done before, 3 taken over from other runs, 5 to render");
        check((4, 4, 0, 0), "4 cells, 4 done before, nothing to render");
    }
}
