//! Comparisons of pictures with their second rendering, as text.

use crate::output;
use maquette::{Checked, Pixels, RenderedAgain, Reproduction, SampleOutcome, Verification};

/// How a picture compares with its second rendering.
pub fn reproduction(reproduction: &Reproduction) -> String {
    let Reproduction { likeness, pixels, cell, changes, .. } = reproduction;
    let mut text = format!("{}: {}\n", likeness.as_str(), pixels_text(pixels));
    if !changes.is_empty() {
        let rows = changes.iter().map(|it| vec![it.name.clone(), it.before.clone(), it.now.clone()]);
        text += &output::table(&["changed", "before", "now"], rows);
    } else if cell.before.is_some() {
        text += "unchanged: version, numerics, model, settings and files\n";
    }
    text
}

/// The result of verifying a run.
pub fn verification(verification: &Verification) -> String {
    let mut text = String::new();
    for problem in &verification.checked.problems {
        text += &format!("wrong: {}: {}\n", problem.image, problem.problem);
    }
    let rows = verification
        .again
        .iter()
        .map(|it| vec![it.outcome.as_str().to_owned(), it.cell.short(), it.label.clone(), compared(it)]);
    if !verification.again.is_empty() {
        text += output::table(&["", "", "", ""], rows).trim_start_matches('\n');
    }
    for remark in &verification.remarks {
        text += &format!("note: {remark}\n");
    }
    let Checked { pictures, problems, failed, unrendered } = &verification.checked;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    text += &format!("{pictures} picture{} checked, {} wrong", plural(*pictures), problems.len());
    for (count, what) in [(*failed, "failed"), (*unrendered, "not rendered yet")] {
        if count > 0 {
            text += &format!("; {count} cell{} {what}", plural(count));
        }
    }
    let count = |outcome| verification.again.iter().filter(|it| it.outcome == outcome).count();
    let counts = SampleOutcome::ALL.map(|outcome| (count(outcome), outcome.as_str()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, outcome)| format!("{count} {outcome}")).collect();
    if !counts.is_empty() {
        text += &format!("\n{} rendered again: {}", verification.again.len(), counts.join(", "));
    }
    text + "\n"
}

/// How a cell compares, or why it cannot be compared.
fn compared(again: &RenderedAgain) -> String {
    again.pixels.as_ref().map(pixels_text).or_else(|| again.error.clone()).unwrap_or_default()
}

/// How two pictures differ.
fn pixels_text(pixels: &Pixels) -> String {
    match pixels {
        Pixels::Identical => "every pixel is the same".to_owned(),
        Pixels::Different { psnr, max_difference, share, .. } => format!(
            "PSNR {psnr:.1} dB, at most {max_difference} of 255 levels off, {:.1} % of the pixels differ",
            100.0 * share
        ),
        Pixels::Sizes { left, right } => {
            format!("{}x{} pixels before, {}x{} now", left.0, left.1, right.0, right.1)
        }
        Pixels::NoPicture { left, right } => format!("before: {left}, now: {right}"),
    }
}
