//! How a run started and how it ended.

use maquette::{StartReason, Summary, WorkResult};

/// Why a run has its number, to follow its name and device.
pub fn reason(reason: StartReason) -> &'static str {
    match reason {
        StartReason::First => "",
        StartReason::Resumed => ": resuming, the experiment is unchanged",
        StartReason::Changed => ": new run, the experiment has changed",
        StartReason::OtherVersion => ": new run, the previous one cannot be resumed",
    }
}

/// How many cells ended in which way.
pub fn counts(summary: &Summary) -> String {
    let Summary { done, reused, rendered, failures, .. } = summary;
    format!("{rendered} rendered, {} finished earlier, {} failed", done + reused, failures.len())
}

/// How a run ended, with a line for each failed cell.
pub fn summary(summary: &Summary) -> String {
    let mut text = counts(summary);
    for failure in &summary.failures {
        text += &format!("\n  {}: {}", failure.label, failure.error);
    }
    if summary.interrupted {
        let left = summary.left();
        let cells = if left == 1 { "cell" } else { "cells" };
        text += &format!("\ninterrupted with {left} {cells} left; run again to resume");
    }
    text
}

/// How a worker ended, with a line for each cell that failed.
pub fn worked(result: &WorkResult) -> String {
    let WorkResult { run, summary, finished, lost, .. } = result;
    let Summary { reused, rendered, failures, interrupted, .. } = summary;
    let mut text = format!("this worker: {rendered} rendered, {reused} reused, {} failed", failures.len());
    for failure in failures {
        text += &format!("\n  {}: {}", failure.label, failure.error);
    }
    if *lost > 0 {
        let groups = if *lost == 1 { "group of cells was" } else { "groups of cells were" };
        text +=
            &format!("\n{lost} {groups} taken over by others, because this worker was silent for too long");
    }
    text += &match (interrupted, finished) {
        (true, _) => format!("\nstopped; what is left of {run} is free for other workers"),
        (false, true) => format!("\n{run} is finished"),
        (false, false) => String::new(),
    };
    text
}

/// How many cells there are and what is left to do.
pub fn planned(total: usize, done: usize, reused: usize, todo: usize, drafts: bool) -> String {
    let one = if drafts { "draft" } else { "cell" };
    let mut text = format!("{total} {one}{}", if total == 1 { "" } else { "s" });
    for (count, what) in [(done, "already done"), (reused, "reused from other runs")] {
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
    fn zero_counts_are_left_out() {
        let check = |(total, done, reused, todo), expected: &str| {
            assert_eq!(planned(total, done, reused, todo, false), expected);
            assert_eq!(planned(total, done, reused, todo, true), expected.replace("cell", "draft"));
        };
        check((1, 0, 0, 1), "1 cell, 1 to render");
        check((48, 40, 3, 5), "48 cells, 40 already done, 3 reused from other runs, 5 to render");
        check((4, 4, 0, 0), "4 cells, 4 already done, nothing to render");
    }
}
