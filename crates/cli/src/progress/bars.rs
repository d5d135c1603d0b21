//! Bars for a terminal: cells done, the steps of the cells in flight, pictures a minute, time left.

use super::display::Display;
use crate::text::planned;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use maquette::RunProgress;
use maquette::{CellId, Outcome};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many cells in flight are shown.
const SHOWN: usize = 8;

/// Bars.
pub struct Bars {
    bars: MultiProgress,
    /// Counts cells; its message says how fast and how long still.
    cells: ProgressBar,
    flights: HashMap<CellId, Flight>,
    began: Option<Instant>,
    todo: usize,
    ended: usize,
}

struct Flight {
    bar: Option<ProgressBar>,
    step: usize,
    steps: usize,
}

impl Bars {
    pub fn new() -> Bars {
        let bars = MultiProgress::new();
        let cells = bars.add(ProgressBar::new(0));
        cells.set_style(style("{bar:30} {pos}/{len} cells  {msg}"));
        cells.enable_steady_tick(Duration::from_millis(250));
        Bars { bars, cells, flights: HashMap::new(), began: None, todo: 0, ended: 0 }
    }

    fn say(&self, text: &str) {
        // A terminal that went away is no reason to stop rendering.
        let _ = self.bars.println(text);
    }

    fn end(&mut self, cell: &CellId) {
        if let Some(Flight { bar: Some(bar), .. }) = self.flights.remove(cell) {
            bar.finish_and_clear();
        }
        self.ended += 1;
        self.cells.inc(1);
        self.refresh();
    }

    /// Pictures a minute and time left, the steps of the cells in flight counted in.
    fn refresh(&self) {
        let Some(began) = self.began else { return };
        let flying: f64 =
            self.flights.values().map(|flight| flight.step as f64 / flight.steps.max(1) as f64).sum();
        let done = self.ended as f64 + flying;
        let seconds = began.elapsed().as_secs_f64();
        if done > 0.0 && seconds > 0.5 {
            let left = (self.todo as f64 - done).max(0.0) * seconds / done;
            let left = indicatif::HumanDuration(Duration::from_secs_f64(left));
            self.cells.set_message(format!("{:.1} pictures/min  {left} left", done / seconds * 60.0));
        }
    }
}

impl Display for Bars {
    fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Planned { total, done, reused, todo } => {
                self.say(&planned(*total, *done, *reused, *todo));
                self.todo = *todo;
                self.cells.set_length(*todo as u64);
            }
            RunProgress::Loading { model } => self.cells.set_message(format!("loading {model}")),
            RunProgress::Loaded { .. } => self.cells.set_message(""),
            RunProgress::Started { cell, label, steps } => {
                self.began.get_or_insert_with(Instant::now);
                let bar = (self.flights.len() < SHOWN).then(|| {
                    let bar = self.bars.add(ProgressBar::new(*steps as u64));
                    bar.set_style(style("  {bar:20} {pos:>3}/{len} {wide_msg}"));
                    bar.set_message(label.clone());
                    bar
                });
                self.flights.insert(*cell, Flight { bar, step: 0, steps: *steps });
            }
            RunProgress::Stepped { cell, step, .. } => {
                if let Some(flight) = self.flights.get_mut(cell) {
                    flight.step = *step;
                    if let Some(bar) = &flight.bar {
                        bar.set_position(*step as u64);
                    }
                }
                self.refresh();
            }
            RunProgress::Finished { record } => self.end(&record.cell.id),
            RunProgress::Failed { record } => {
                if let Outcome::Failed { error } = &record.outcome {
                    self.say(&format!("failed: {error}"));
                }
                self.end(&record.cell.id);
            }
            RunProgress::Warned { warning, .. } => self.say(&format!("warning: {warning}")),
        }
    }

    fn close(&mut self) {
        for (_, flight) in self.flights.drain() {
            flight.bar.inspect(ProgressBar::finish_and_clear);
        }
        self.cells.finish_and_clear();
    }
}

/// The template is ours, so it is always valid.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a valid template").progress_chars("━━╌")
}
