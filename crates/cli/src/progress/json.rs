//! A JSON object per line, for machines: `event`, and what belongs to it.

use super::Display;
use crate::output::message;
use maquette::Progress;
use maquette::{Outcome, Record};
use serde_json::{Value, json};

/// JSON lines.
pub struct Json;

impl Display for Json {
    fn show(&mut self, progress: &Progress) {
        message(line(progress));
    }
}

fn line(progress: &Progress) -> Value {
    match progress {
        Progress::Planned { total, done, reused, todo } => {
            json!({ "event": "planned", "total": total, "done": done, "reused": reused, "todo": todo })
        }
        Progress::Loading { model } => json!({ "event": "loading", "model": model }),
        Progress::Loaded { model, seconds } => {
            json!({ "event": "loaded", "model": model, "seconds": seconds })
        }
        Progress::Started { cell, label, steps } => {
            json!({ "event": "started", "cell": cell, "label": label, "steps": steps })
        }
        Progress::Stepped { cell, step, steps } => {
            json!({ "event": "stepped", "cell": cell, "step": step, "steps": steps })
        }
        Progress::Finished { record } => ended("finished", record),
        Progress::Failed { record } => ended("failed", record),
        Progress::Warned { cell, warning } => json!({ "event": "warned", "cell": cell, "warning": warning }),
    }
}

fn ended(event: &str, record: &Record) -> Value {
    let mut line = json!({ "event": event, "cell": record.cell.id, "seconds": record.seconds });
    match &record.outcome {
        Outcome::Done { image, .. } => line["image"] = json!(image),
        Outcome::Failed { error } => line["error"] = json!(error),
    }
    if let Some(detected) = record.remarks.nsfw_content_detected {
        line["nsfw_content_detected"] = json!(detected);
    }
    if let Some(note) = &record.remarks.note {
        line["note"] = json!(note);
    }
    line
}
