//! Trainings as text.

use maquette::{TrainResult, TrainingForecast, TrainingProgress};
use std::time::Duration;

/// What `maquette train` did.
pub fn trained(result: &TrainResult) -> String {
    let TrainResult { weights, trained, interrupted } = result;
    let what = match (trained, interrupted) {
        (_, true) => "stopped; the same command goes on after the last step".to_owned(),
        (0, _) => "nothing to train: all weights exist".to_owned(),
        (1, _) => "1 training done".to_owned(),
        (many, _) => format!("{many} trainings done"),
    };
    format!("{what}; {} of weights", counted(weights.len(), "file"))
}

/// One row of a plan: a training and its cost.
pub fn training_forecast(forecast: &TrainingForecast) -> String {
    let TrainingForecast { subject, model, method, pictures, class_pictures, steps, done, .. } = forecast;
    let mut text =
        format!("{subject} on {model}: {method}, {steps} steps from {}", counted(*pictures, "picture"));
    if *class_pictures > 0 {
        text += &format!(" and {class_pictures} of its class");
    }
    text += &match (forecast.finished, done, forecast.seconds) {
        (true, ..) => "; done".to_owned(),
        (_, 0, None) => "; time unknown until the first training on this machine".to_owned(),
        (_, 0, Some(seconds)) => format!("; about {}", duration(seconds)),
        (_, done, Some(seconds)) => format!("; {done} steps done, about {} left", duration(seconds)),
        (_, done, None) => format!("; {done} steps done"),
    };
    text
}

/// A line for an event of a training; `None` for single steps.
pub fn training_line(progress: &TrainingProgress<'_>) -> Option<String> {
    Some(match progress {
        TrainingProgress::ClassPictures { done, of } if done == of => {
            format!("{} of the class", counted(*of, "picture"))
        }
        TrainingProgress::Started { training, done, steps, parameters } => {
            let from = if *done > 0 { format!(", going on after step {done}") } else { String::new() };
            let millions = *parameters as f64 / 1e6;
            format!(
                "training {} ({}) for {steps} steps, {millions:.2} M numbers{from}",
                training.subject, training.method
            )
        }
        TrainingProgress::Step { step, steps, loss, seconds, .. } if step % 50 == 0 || step == steps => {
            format!("step {step}/{steps}: loss {loss:.4}, {seconds:.2} s a step")
        }
        TrainingProgress::SampleFailed { step, error } => {
            format!("warning: no sample after step {step}: {error}")
        }
        TrainingProgress::Ended { training, finished: true } => format!("trained {}", training.subject),
        _ => return None,
    })
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn duration(seconds: f64) -> String {
    indicatif::HumanDuration(Duration::from_secs_f64(seconds)).to_string()
}
