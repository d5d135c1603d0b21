//! The effects of a run's axes as text.

use crate::output;
use maquette::{AxisValues, Effects, RunEffects};

/// The length of the longest bar in characters.
const BAR: f64 = 40.0;

/// Shares of every measure, what stands out, and the curves' table.
pub fn effects(found: &RunEffects) -> String {
    let mut text = String::new();
    for effects in &found.effects {
        let Effects { about, shares, rest, values, idle, complete, .. } = effects;
        text += &format!("{}, {} pictures: {about}\n", found.name, found.pictures);
        if !complete {
            text += "Cells are missing: axes that overlap share what they explain.\n";
        }
        let named = shares.iter().map(|share| (share.axes.join(" x "), share.share));
        let rows = named.chain([("rest".to_owned(), *rest)]).map(|(name, share)| {
            vec![name, format!("{:.1} %", 100.0 * share), "#".repeat((BAR * share).round() as usize)]
        });
        text += &output::table(&["", "share", ""], rows);
        for axis in values {
            text += &outlier(axis, found);
        }
        for axis in idle {
            text += &format!("Nothing changes along {axis}.\n");
        }
        text += "\n";
    }
    if let Some(curves) = &found.curves {
        text += &format!("{} by {}, mean (lowest to highest)\n", curves.metric, curves.along);
        let xs: Vec<String> = curves.x.iter().map(ToString::to_string).collect();
        let headings: Vec<&str> = [""].into_iter().chain(xs.iter().map(String::as_str)).collect();
        let rows = curves.curves.iter().map(|curve| {
            let points = curve.curve.points.iter().map(|point| match point {
                Some(point) if point.count == 1 => number(point.mean),
                Some(point) => {
                    format!("{} ({} to {})", number(point.mean), number(point.low), number(point.high))
                }
                None => String::new(),
            });
            [curve.label.clone()].into_iter().chain(points).collect()
        });
        text += &output::table(&headings, rows);
        text += "\n";
    }
    text
}

/// The value of an axis that stands out.
fn outlier(values: &AxisValues, found: &RunEffects) -> String {
    let axis = found.axes.iter().find(|axis| axis.name == values.axis);
    let label = |at: usize| axis.and_then(|axis| axis.values.get(at)).map(String::as_str);
    match values.outlier.and_then(label) {
        Some(label) => format!(
            "{} {label} stands out: more than three times as far from the other values as any of these.\n",
            values.axis
        ),
        None => String::new(),
    }
}

/// A number to four significant digits.
fn number(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    rounded.to_string()
}
