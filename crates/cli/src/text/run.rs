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
