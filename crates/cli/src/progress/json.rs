//! A JSON object per line, for machines: `event` and its fields.

use super::display::Display;
use crate::output::message;
use maquette::{Outcome, Record, RunProgress, TrainingProgress};
use serde_json::{Value, json};

/// JSON lines.
pub struct Json;

impl Display for Json {
    fn train(&mut self, progress: &TrainingProgress<'_>) {
        training(progress).into_iter().for_each(message);
    }

    fn show(&mut self, progress: &RunProgress) {
        message(line(progress));
    }
}

fn training(progress: &TrainingProgress<'_>) -> Option<Value> {
    Some(match progress {
        TrainingProgress::ClassPictures { done, of } => {
            json!({ "event": "class_pictures", "done": done, "of": of })
        }
        TrainingProgress::Started { training, done, steps, parameters } => json!({
            "event": "training",
            "subject": training.subject,
            "training": training.digest(),
            "done": done,
            "steps": steps,
            "parameters": parameters,
        }),
        TrainingProgress::Step { step, steps, loss, learning_rate, seconds } => json!({
            "event": "training_step",
            "step": step,
            "steps": steps,
            "loss": loss,
            "learning_rate": learning_rate,
            "seconds": seconds,
        }),
        TrainingProgress::Saved { step } => json!({ "event": "training_saved", "step": step }),
        TrainingProgress::Sample { step, file } => {
            json!({ "event": "training_sample", "step": step, "file": file })
        }
        TrainingProgress::SampleFailed { step, error } => {
            json!({ "event": "training_sample_failed", "step": step, "error": error })
        }
        TrainingProgress::Ended { training, finished } => {
            json!({ "event": "trained", "subject": training.subject, "finished": finished })
        }
        _ => return None,
    })
}

fn line(progress: &RunProgress) -> Value {
    match progress {
        RunProgress::Planned { total, done, reused, todo, drafts } => {
            let mut line =
                json!({ "event": "planned", "total": total, "done": done, "reused": reused, "todo": todo });
            if *drafts {
                line["drafts"] = json!(true);
            }
            line
        }
        RunProgress::Loading { model } => json!({ "event": "loading", "model": model }),
        RunProgress::Loaded { model, seconds } => {
            json!({ "event": "loaded", "model": model, "seconds": seconds })
        }
        RunProgress::Started { cell, label, steps } => {
            json!({ "event": "started", "cell": cell, "label": label, "steps": steps })
        }
        RunProgress::Stepped { cell, step, steps } => {
            json!({ "event": "stepped", "cell": cell, "step": step, "steps": steps })
        }
        RunProgress::Finished { record } => ended("finished", record),
        RunProgress::Failed { record } => ended("failed", record),
        RunProgress::Warned { cell, warning } => {
            json!({ "event": "warned", "cell": cell, "warning": warning })
        }
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
