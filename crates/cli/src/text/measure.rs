//! Metrics and measurements as text.

use crate::output;
use maquette::{METRICS, Measurement, Metric};

/// The most duplicates that are listed.
const LISTED: usize = 20;

/// The table of metrics.
pub fn metrics() -> String {
    let row = |metric: &Metric| {
        let needs: Vec<&str> = metric.needs.iter().map(|need| need.as_str()).chain(metric.model).collect();
        vec![
            metric.name.to_owned(),
            range(metric),
            metric.better.as_str().unwrap_or_default().to_owned(),
            needs.join(", "),
            format!("{}; {}", metric.about, metric.source),
        ]
    };
    output::table(&["metric", "range", "better", "needs", ""], METRICS.iter().map(row))
}

fn range(metric: &Metric) -> String {
    match metric.range {
        _ if metric.text => "text".to_owned(),
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("from {low}"),
        (None, Some(high)) => format!("up to {high}"),
        (None, None) => "any".to_owned(),
    }
}

/// The result of a measurement.
pub fn measurement(measurement: &Measurement) -> String {
    let Measurement { run, metrics, pictures, duplicates, .. } = measurement;
    let mut text = format!("{run}: {}\n", measured(metrics, *pictures));
    for duplicate in duplicates.iter().take(LISTED) {
        let cell = |name: &str, label: &str| {
            if label.is_empty() { name.to_owned() } else { format!("{name} ({label})") }
        };
        text += &format!(
            "duplicate: {} looks like {}\n",
            cell(&duplicate.cell, &duplicate.label),
            cell(&duplicate.of, &duplicate.of_label)
        );
    }
    if duplicates.len() > LISTED {
        text += &format!("and {} more duplicates\n", duplicates.len() - LISTED);
    }
    text
}

/// What was measured.
pub fn measured(metrics: &[&Metric], pictures: usize) -> String {
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
    let plural = if pictures == 1 { "" } else { "s" };
    format!("measured {} of {pictures} picture{plural}", names.join(", "))
}
