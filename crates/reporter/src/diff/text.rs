//! The difference of two runs as text for a terminal.

use super::{CellAt, Change, Diff, Pair, Pixels};
use std::fmt::Write;

impl Diff {
    /// The difference as plain text: settings of the runs first, then cells, the largest differences first. Each list has
    /// at most `limit` items, followed by the number of items left out.
    pub fn text(&self, limit: usize) -> String {
        let mut text = format!("{} | {}\n", self.left, self.right);
        // That axes of the same name are paired needs no words.
        if !self.by_name {
            text.push_str("\nhow cells are paired\n");
            for sentence in &self.pairing {
                let _ = writeln!(text, "  {sentence}");
            }
        }
        if !self.settings.is_empty() {
            text.push_str("\nsettings that differ\n");
            let width = self.settings.iter().map(|change| change.name.chars().count()).max().unwrap_or(0);
            for change in &self.settings {
                let _ = writeln!(text, "  {:width$}  {}", change.name, values(change));
            }
        }
        let _ = write!(text, "\n{}", self.summary());

        let differing = self.pairs.iter().filter(|pair| !pair.pixels.is_same());
        let (missing, differing): (Vec<&Pair>, Vec<&Pair>) =
            differing.partition(|pair| matches!(pair.pixels, Pixels::NoPicture { .. }));
        let (unexplained, explained): (Vec<&Pair>, Vec<&Pair>) =
            differing.into_iter().partition(|pair| pair.is_unexplained());
        list(&mut text, "same settings, different pixels", &worst_first(unexplained), limit, pair_line);
        list(&mut text, "different pixels", &worst_first(explained), limit, pair_line);
        list(&mut text, "missing pictures", &missing, limit, pair_line);
        let unaffected = |pair: &&Pair| pair.pixels.is_same() && !pair.settings.is_empty();
        let unaffected: Vec<&Pair> = self.pairs.iter().filter(unaffected).collect();
        list(&mut text, "different settings, same pixels", &unaffected, limit, pair_line);
        let lone = |cell: &CellAt| place(&cell.coordinates);
        list(
            &mut text,
            &format!("only in {}", self.left),
            &self.only_left.iter().collect::<Vec<_>>(),
            limit,
            lone,
        );
        list(
            &mut text,
            &format!("only in {}", self.right),
            &self.only_right.iter().collect::<Vec<_>>(),
            limit,
            lone,
        );
        text
    }

    fn summary(&self) -> String {
        if self.is_empty() {
            return format!("no differences in {}\n", cells(self.pairs.len()));
        }
        let counts = self.counts();
        let kinds = [
            (counts.identical, "identical"),
            (counts.different, "with different pixels"),
            (counts.sizes, "of different sizes"),
            (counts.no_picture, "with a missing picture"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        let mut summary = format!("{} in both", cells(self.pairs.len()));
        if !kinds.is_empty() {
            let _ = write!(summary, ": {}", kinds.join(", "));
        }
        summary.push('\n');
        for (name, lone) in [(&self.left, &self.only_left), (&self.right, &self.only_right)] {
            if !lone.is_empty() {
                let _ = writeln!(summary, "{} only in {name}", cells(lone.len()));
            }
        }
        summary
    }
}

/// The coordinates of a cell as text.
fn place(coordinates: &[(String, String)]) -> String {
    if coordinates.is_empty() {
        return "the only cell".to_owned();
    }
    let words: Vec<String> = coordinates.iter().map(|(axis, label)| format!("{axis} {label}")).collect();
    words.join(" · ")
}

/// The values of both sides.
pub(super) fn values(change: &Change) -> String {
    let value = |value: &Option<String>| match value.as_deref() {
        None => "(none)".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(value) => value.to_owned(),
    };
    format!("{} → {}", value(&change.left), value(&change.right))
}

/// The difference of the pictures as text.
pub(super) fn pixels(pixels: &Pixels) -> String {
    match pixels {
        Pixels::Identical => "identical".to_owned(),
        Pixels::Different { mean_absolute_error, psnr, .. } => {
            format!("MAE {mean_absolute_error:.2}  PSNR {psnr:.1} dB")
        }
        Pixels::Sizes { left, right } => {
            format!("sizes differ: {}×{} → {}×{}", left.0, left.1, right.0, right.1)
        }
        Pixels::NoPicture { left, right } => format!("{left} → {right}"),
    }
}

fn cells(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

fn list<T>(text: &mut String, heading: &str, items: &[&T], limit: usize, line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}: {}", items.len());
    for item in items.iter().take(limit) {
        let _ = writeln!(text, "  {}", line(item));
    }
    if items.len() > limit {
        let _ = writeln!(text, "  … and {} more", items.len() - limit);
    }
}

fn pair_line(pair: &Pair) -> String {
    let mut line = format!("{}: {}", place(&pair.left.coordinates), pixels(&pair.pixels));
    for change in &pair.settings {
        let _ = write!(line, "\n      {}  {}", change.name, values(change));
    }
    line
}

/// Pairs that cannot be measured first, then by falling mean absolute error; ties stay in the plan's order.
fn worst_first(mut pairs: Vec<&Pair>) -> Vec<&Pair> {
    let error = |pair: &Pair| match pair.pixels {
        Pixels::Different { mean_absolute_error, .. } => mean_absolute_error,
        _ => f64::INFINITY,
    };
    pairs.sort_by(|a, b| error(b).total_cmp(&error(a)));
    pairs
}
