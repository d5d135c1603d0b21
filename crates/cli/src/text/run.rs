//! How a run began and what it came to.

use maquette::{StartReason, Summary};

/// Why a run has the number it has, behind its name and device.
pub fn reason(reason: StartReason) -> &'static str {
    match reason {
        StartReason::First => "",
        StartReason::Resumed => ": unchanged, so it goes on",
        StartReason::Changed => ": the experiment has changed, so a new run begins",
        StartReason::OtherVersion => ": the run before cannot be continued, so a new one begins",
    }
}

/// What a run came to; the failed cells one by one.
pub fn summary(summary: &Summary) -> String {
    let Summary { done, reused, rendered, failures, .. } = summary;
    let mut text =
        format!("{rendered} rendered, {} kept from before, {} failed", done + reused, failures.len());
    for failure in failures {
        text += &format!("\n  {}: {}", failure.label, failure.error);
    }
    if summary.interrupted {
        text += &format!("\ninterrupted with {} cells to go; run again to go on", summary.left());
    }
    text
}

/// What there is to do.
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
