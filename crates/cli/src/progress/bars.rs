//! Bars for a terminal: cells done, the steps of the cells in flight, pictures per minute, time left.

use super::display::Display;
use super::style::style;
use super::training::TrainingBar;
use crate::printable::printable;
use crate::text::planned;
use indicatif::{MultiProgress, ProgressBar};
use maquette::{CellId, Outcome, RunProgress, TrainingProgress};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The most cells in flight that get a bar.
const MOST_BARS: usize = 8;

/// Bars.
pub struct Bars {
    bars: MultiProgress,
    /// Counts cells; its message gives the speed and the time left.
    cells: ProgressBar,
    in_flight: HashMap<CellId, InFlight>,
    training: TrainingBar,
    began: Option<Instant>,
    todo: usize,
    ended: usize,
}

struct InFlight {
    bar: Option<ProgressBar>,
    step: usize,
    steps: usize,
}

impl Bars {
    pub fn new() -> Bars {
        let bars = MultiProgress::new();
        let training = TrainingBar::among(&bars);
        let cells = bars.add(ProgressBar::new(0));
        cells.set_style(style("{bar:30} {pos}/{len} cells  {msg}"));
        cells.enable_steady_tick(Duration::from_millis(250));
        Bars { bars, cells, training, in_flight: HashMap::new(), began: None, todo: 0, ended: 0 }
    }

    fn print(&self, text: &str) {
        // Rendering goes on even if the terminal is gone.
        let _ = self.bars.println(printable(text));
    }

    fn end(&mut self, cell: &CellId) {
        if let Some(InFlight { bar: Some(bar), .. }) = self.in_flight.remove(cell) {
            bar.finish_and_clear();
        }
        self.ended += 1;
        self.cells.inc(1);
        self.refresh();
    }

    /// Shows pictures per minute and time left; the steps of the cells in flight count as parts of a picture.
    fn refresh(&self) {
        let Some(began) = self.began else { return };
        let parts: f64 =
            self.in_flight.values().map(|cell| cell.step as f64 / cell.steps.max(1) as f64).sum();
        let done = self.ended as f64 + parts;
        let seconds = began.elapsed().as_secs_f64();
        if done > 0.0 && seconds > 0.5 {
            let left = (self.todo as f64 - done).max(0.0) * seconds / done;
            let left = indicatif::HumanDuration(Duration::from_secs_f64(left));
            self.cells.set_message(format!("{:.1} pictures/min  {left} left", done / seconds * 60.0));
        }
    }
}

impl Display for Bars {
    fn train(&mut self, progress: &TrainingProgress<'_>) {
        self.training.train(progress);
    }

    fn show(&mut self, progress: &RunProgress) {
        match progress {
            RunProgress::Planned { total, done, reused, todo, drafts } => {
                self.print(&planned(*total, *done, *reused, *todo, *drafts));
                // After the drafts come the pictures.
                (self.todo, self.ended, self.began) = (*todo, 0, None);
                self.cells.set_length(*todo as u64);
                self.cells.set_position(0);
            }
            RunProgress::Loading { model } => {
                self.cells.set_message(printable(&format!("loading {model}")).into_owned());
            }
            RunProgress::Loaded { .. } => self.cells.set_message(""),
            RunProgress::Started { cell, label, steps } => {
                self.began.get_or_insert_with(Instant::now);
                let bar = (self.in_flight.len() < MOST_BARS).then(|| {
                    let bar = self.bars.add(ProgressBar::new(*steps as u64));
                    bar.set_style(style("  {bar:20} {pos:>3}/{len} {wide_msg}"));
                    bar.set_message(printable(label).into_owned());
                    bar
                });
                self.in_flight.insert(*cell, InFlight { bar, step: 0, steps: *steps });
            }
            RunProgress::Stepped { cell, step, .. } => {
                if let Some(in_flight) = self.in_flight.get_mut(cell) {
                    in_flight.step = *step;
                    if let Some(bar) = &in_flight.bar {
                        bar.set_position(*step as u64);
                    }
                }
                self.refresh();
            }
            RunProgress::Finished { record } => self.end(&record.cell.id),
            RunProgress::Failed { record } => {
                if let Outcome::Failed { error } = &record.outcome {
                    self.print(&format!("failed: {error}"));
                }
                self.end(&record.cell.id);
            }
            RunProgress::Warned { warning, .. } => self.print(&format!("warning: {warning}")),
        }
    }

    fn close(&mut self) {
        for (_, in_flight) in self.in_flight.drain() {
            in_flight.bar.inspect(ProgressBar::finish_and_clear);
        }
        self.cells.finish_and_clear();
    }
}
