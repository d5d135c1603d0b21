//! What an experiment would do, and what it would cost.

use super::prompts::prompts;
use crate::output;
use bytesize::ByteSize;
use maquette::{Estimate, Forecast, Plan, PlannedExperiment, SettingError, Work};
use std::time::Duration;

/// The plan: axes, counts and costs, notes, prompts with something to say, the first `count` cells.
pub fn plan(planned: &PlannedExperiment, forecast: &Forecast, count: usize) -> Result<String, SettingError> {
    let PlannedExperiment { plan, distinct, notes, .. } = planned;
    let mut text = String::new();
    if !plan.title.is_empty() {
        text += &format!("{}\n\n", plan.title);
    }
    text += &axes(plan);
    text += &counts(plan, distinct.len(), &forecast.work, &forecast.estimate);
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text += &prompts(&forecast.prompts);
    Ok(text + &cells(plan, count)?)
}

fn axes(plan: &Plan) -> String {
    if plan.axes.is_empty() {
        return "no axes: one cell\n\n".to_owned();
    }
    let rows = plan.axes.iter().map(|axis| {
        let labels: Vec<&str> = axis.values.iter().map(|value| value.label.as_str()).collect();
        vec![axis.name.clone(), axis.values.len().to_string(), some(&labels)]
    });
    output::table(&["axis", "values", ""], rows) + "\n"
}

/// The first labels and the last one: enough to see what an axis is.
fn some(labels: &[&str]) -> String {
    match labels {
        [first @ .., last] if labels.len() > 8 => format!("{}, … {last}", first[..6].join(", ")),
        _ => labels.join(", "),
    }
}

fn counts(plan: &Plan, distinct: usize, left: &Work, estimate: &Estimate) -> String {
    let mut rows = vec![vec!["cells".to_owned(), plan.len().to_string()]];
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("distinct", distinct.to_string());
    row("done", (distinct - left.pictures).to_string());
    row("to render", left.pictures.to_string());
    row("model loads", left.model_loads.to_string());
    row("text encodes", left.text_encodes.to_string());
    row("image encodes", left.image_encodes.to_string());
    row("denoising steps", left.steps.to_string());
    if left.pictures > 0 {
        row("time", time(estimate));
        row("memory", memory(estimate));
    }
    output::table(&["", ""], rows).trim_start_matches('\n').to_owned() + "\n"
}

fn time(estimate: &Estimate) -> String {
    let duration = |seconds: f64| indicatif::HumanDuration(Duration::from_secs_f64(seconds)).to_string();
    match (estimate.seconds, estimate.unknown) {
        (seconds, 0) => format!("about {}, from what this machine took before", duration(seconds)),
        (0.0, _) => "unknown before the first run here".to_owned(),
        (seconds, unknown) => {
            format!("about {} and {unknown} cells of a kind that was never rendered here", duration(seconds))
        }
    }
}

fn memory(estimate: &Estimate) -> String {
    match estimate.memory {
        Some(bytes) => {
            format!("about {} at most, from what earlier runs took", ByteSize::b(bytes).display().iec())
        }
        None => "unknown before the first run here".to_owned(),
    }
}

/// The first cells, as settings that vary.
fn cells(plan: &Plan, count: usize) -> Result<String, SettingError> {
    if count == 0 || plan.is_empty() {
        return Ok(String::new());
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in plan.axes.iter().flat_map(|axis| &axis.values).flat_map(|value| &value.set) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut headings = vec!["cell"];
    headings.extend(&names);
    headings.push("prompt");
    headings.dedup();
    let mut rows = Vec::new();
    for cell in plan.cells().take(count) {
        let cell = cell?;
        let value = |name: &str| match cell.settings.get(name) {
            Some(value) => value.to_string(),
            None => cell
                .vars
                .iter()
                .find(|(var, _)| **var == *name)
                .map_or_else(String::new, |(_, v)| v.to_string()),
        };
        let mut row = vec![cell.id.short()];
        row.extend(headings[1..].iter().map(|name| value(name)));
        rows.push(row);
    }
    let mut text = output::table(&headings, rows);
    if plan.len() > count {
        text += &format!("… and {} more\n", plan.len() - count);
    }
    Ok(text)
}
