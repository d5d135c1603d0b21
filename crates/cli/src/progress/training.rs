//! A bar for a training: its steps, the loss, the time left.

use super::display::Display;
use super::style::style;
use crate::printable::printable;
use crate::text::training_line;
use indicatif::{MultiProgress, ProgressBar};
use maquette::{RunProgress, TrainingProgress};

/// The bar.
pub struct TrainingBar {
    bar: ProgressBar,
    /// The loss, averaged over the last steps: single ones depend on their timestep more than on the weights.
    loss: Option<f64>,
}

/// How much of the average each step replaces.
const SHARE: f64 = 0.05;

impl TrainingBar {
    /// A bar alone.
    pub fn new() -> TrainingBar {
        TrainingBar::among(&MultiProgress::new())
    }

    /// A bar above others.
    pub fn among(bars: &MultiProgress) -> TrainingBar {
        let bar = bars.add(ProgressBar::new(0));
        bar.set_style(style("{bar:30} {pos}/{len} {msg}  {eta} left"));
        TrainingBar { bar, loss: None }
    }
}

impl Display for TrainingBar {
    fn show(&mut self, _: &RunProgress) {}

    fn train(&mut self, progress: &TrainingProgress<'_>) {
        let line = || training_line(progress).map(|line| printable(&line).into_owned());
        match progress {
            TrainingProgress::ClassPictures { done, of } => {
                self.bar.set_length(*of as u64);
                self.bar.set_position(*done as u64);
                self.bar.set_message("pictures of the class");
            }
            TrainingProgress::Started { done, steps, .. } => {
                line().into_iter().for_each(|line| self.bar.println(line));
                self.bar.reset();
                self.bar.set_length((*steps).into());
                self.bar.set_position((*done).into());
                self.bar.set_message("training steps");
            }
            TrainingProgress::Step { step, loss, .. } => {
                let average = self.loss.map_or(*loss, |before| before + SHARE * (loss - before));
                self.loss = Some(average);
                self.bar.set_message(format!("training steps  loss {average:.4}"));
                self.bar.set_position((*step).into());
            }
            TrainingProgress::SampleFailed { .. } => {
                line().into_iter().for_each(|line| self.bar.println(line));
            }
            TrainingProgress::Ended { .. } => {
                line().into_iter().for_each(|line| self.bar.println(line));
                self.bar.finish_and_clear();
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.bar.finish_and_clear();
    }
}
