//! The ranking by votes as text.

use crate::output;
use maquette::{AxisRanking, Ranking};

/// The counts, then for each axis a table of its values, best first.
pub fn ranking(ranking: &Ranking) -> String {
    let Ranking { run, votes, entered, bad, gone, same, axes, .. } = ranking;
    let mut text = format!("{run}: {}\n", counted(*votes, "vote"));
    for (count, what) in
        [(bad, "both bad"), (gone, "cells that are not in the run"), (same, "no difference along any axis")]
    {
        if *count > 0 {
            text += &format!("not counted: {count} ({what})\n");
        }
    }
    if *entered == 0 {
        return text + "nothing to rank yet\n";
    }
    axes.iter().filter(|axis| axis.votes > 0).for_each(|axis| text += &one(axis));
    text + "\nstrength: the mean is 0; a value that is 1 stronger wins 73 % of its votes. Intervals: 95 %, bootstrapped.\n"
}

fn one(axis: &AxisRanking) -> String {
    let rows = axis.values.iter().map(|value| {
        vec![
            value.label.clone(),
            signed(value.strength),
            format!("{} to {}", signed(value.low), signed(value.high)),
            value.votes.to_string(),
        ]
    });
    let table = output::table(&[&axis.axis, "strength", "interval", "votes"], rows);
    let [first, second, ..] = &axis.values[..] else { return format!("\n{table}") };
    let lead = match axis.votes_needed {
        Some(0) => format!("{} is ahead of {}: 95 % certain", first.label, second.label),
        Some(more) => format!(
            "about {} more for 95 % certainty that {} is ahead of {}",
            counted(more, "vote"),
            first.label,
            second.label
        ),
        None => format!("{} and {} are level so far", first.label, second.label),
    };
    format!("\n{table}{lead}\n")
}

/// A log-strength with its sign; never a negative zero.
fn signed(strength: f64) -> String {
    format!("{:+.2}", (strength * 100.0).round() / 100.0 + 0.0)
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
