//! What an experiment would do and what it would cost.

use super::prompts::prompts;
use super::train::training_forecast;
use super::weights;
use crate::output;
use bytesize::ByteSize;
use maquette::{DraftForecast, Estimate, Forecast, Plan, PlannedExperiment, SettingError, Value, literal};
use std::time::Duration;

/// The plan: axes, counts and costs, notes, notes on prompts, the first `count` cells.
pub fn plan(
    planned: &PlannedExperiment,
    forecast: &Forecast,
    drafts: Option<&DraftForecast>,
    count: usize,
) -> Result<String, SettingError> {
    let PlannedExperiment { plan, distinct, notes, .. } = planned;
    let mut text = String::new();
    if !plan.title.is_empty() {
        text += &format!("{}\n\n", plan.title);
    }
    text += &axes(plan);
    text += &counts(plan, distinct.len(), forecast, drafts);
    for note in notes.iter().cloned().chain(forecast.weights.iter().filter_map(weights::excess)) {
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
        let labels: Vec<String> = axis.values.iter().map(|value| label(&value.label, &value.set)).collect();
        vec![axis.name.clone(), axis.values.len().to_string(), shortened_list(&labels)]
    });
    output::table(&["axis", "values", ""], rows) + "\n"
}

/// A label as `--sweep` takes it, so that commas between labels differ from commas inside them.
fn label(label: &str, set: &[(String, Value)]) -> String {
    let own = set.iter().find(|(_, value)| value.to_string() == label);
    match (own, set) {
        (Some((_, value)), _) => literal(value),
        (None, [(_, Value::Text(text))]) if text.is_empty() && label == "(empty)" => literal(&set[0].1),
        _ => literal(&label.into()),
    }
}

/// The labels; of a long list the first ones and the last one.
fn shortened_list(labels: &[String]) -> String {
    match labels {
        [first @ .., last] if labels.len() > 8 => format!("{}, … {last}", first[..6].join(", ")),
        _ => labels.join(", "),
    }
}

fn counts(
    plan: &Plan,
    distinct: usize,
    Forecast { work, estimate, trainings, weights, .. }: &Forecast,
    drafts: Option<&DraftForecast>,
) -> String {
    let mut rows = vec![vec!["cells".to_owned(), plan.len().to_string()]];
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("distinct", distinct.to_string());
    row("done", (distinct - work.pictures).to_string());
    row("to render", work.pictures.to_string());
    for training in trainings {
        row("training", training_forecast(training));
    }
    row("model loads", work.model_loads.to_string());
    row("text encodes", work.text_encodes.to_string());
    row("image encodes", work.image_encodes.to_string());
    row("denoising steps", work.steps.to_string());
    if work.pictures > 0 {
        row("time", time(estimate));
        row("memory", memory(estimate));
    }
    for model in weights {
        row("weights", weights::weights(model));
    }
    if let Some(DraftForecast { drafts, steps, estimate, vaes }) = drafts {
        let vaes: Vec<&str> = vaes.iter().map(String::as_str).collect();
        let decoded =
            if vaes.is_empty() { String::new() } else { format!(", decoded by {}", vaes.join(" or ")) };
        row("drafts first", format!("{drafts} in {steps} denoising steps{decoded}"));
        if *drafts > 0 {
            row("time for drafts", time(estimate));
        }
    }
    output::table(&["", ""], rows).trim_start_matches('\n').to_owned() + "\n"
}

fn time(estimate: &Estimate) -> String {
    let duration = |seconds: f64| indicatif::HumanDuration(Duration::from_secs_f64(seconds)).to_string();
    match (estimate.seconds, estimate.unknown) {
        (seconds, 0) => format!("about {}, based on earlier runs on this machine", duration(seconds)),
        (0.0, _) => "unknown until the first run on this machine".to_owned(),
        (seconds, unknown) => {
            let cells = if unknown == 1 { "cell" } else { "cells" };
            format!("about {}, plus {unknown} {cells} of a kind not rendered here before", duration(seconds))
        }
    }
}

fn memory(estimate: &Estimate) -> String {
    match estimate.memory {
        Some(bytes) => {
            format!("at most about {}, based on earlier runs", ByteSize::b(bytes).display().iec())
        }
        None => "unknown until the first run on this machine".to_owned(),
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
    if !names.contains(&"prompt") {
        headings.push("prompt");
    }
    let mut rows = Vec::new();
    for cell in plan.cells().take(count) {
        let cell = cell?;
        let value = |name: &str| match cell.settings.get(name) {
            // A prompt that no axis sets is the last column, where its commas are not ambiguous.
            Some(Value::Text(text)) if !names.contains(&name) && is_one_line(&text) => text,
            Some(value) => literal(&value),
            None => placeholder(plan, &cell.coordinates, name).map_or_else(String::new, literal),
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

/// The value that an axis sets for a name at some coordinates.
fn placeholder<'a>(plan: &'a Plan, coordinates: &[usize], name: &str) -> Option<&'a Value> {
    let mut set = plan.axes.iter().zip(coordinates).flat_map(|(axis, at)| &axis.values[*at].set);
    set.find(|(known, _)| known == name).map(|(_, value)| value)
}

fn is_one_line(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted_where_a_list_would_be_ambiguous() {
        let check = |text: &str, set: &[Value], expected: &str| {
            let set: Vec<_> = set.iter().map(|value| (String::new(), value.clone())).collect();
            assert_eq!(label(text, &set), expected);
        };
        check("Klimt", &["Klimt".into()], "Klimt");
        check("Mucha, Alphonse", &["Mucha, Alphonse".into()], "\"Mucha, Alphonse\"");
        check("7", &["7".into()], "\"7\"");
        check("7", &[Value::Integer(7)], "7");
        check("(empty)", &["".into()], "\"\"");
        check("(empty)", &["(empty)".into()], "(empty)");
        check("none", &["".into()], "none");
        check("few, fast", &[Value::Integer(10)], "\"few, fast\"");
        // In a zip, one of the columns may be the label.
        check("20, ddim", &[Value::Integer(20), "ddim".into()], "\"20, ddim\"");
        check("20", &["ddim".into(), Value::Integer(20)], "20");
    }
}
