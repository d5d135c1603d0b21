//! Pictures on their way from the device: a thread waits for them, while the device has the next steps to compute.

use crate::image::pixels::Levels;
use candle_core::Result;
use maquette_core::{Cell, Image};
use std::collections::VecDeque;
use std::thread::JoinHandle;
use std::time::Instant;

/// The pictures that the device was told to decode and that have not been finished, in this order.
#[derive(Default)]
pub(super) struct Downloads(VecDeque<Download>);

/// A cell whose picture has arrived.
pub(super) struct Arrived {
    pub cell: Cell,
    pub seconds: f64,
    /// `None` for a picture with NaN or infinity.
    pub image: Result<Option<Image>>,
}

/// Pictures that were decoded together.
struct Download {
    /// With the seconds spent on each.
    cells: Vec<(Cell, f64)>,
    thread: JoinHandle<Vec<Result<Option<Image>>>>,
}

impl Downloads {
    /// Begins to wait for pictures of cells, given with the seconds spent on each.
    pub fn add(&mut self, cells: Vec<(Cell, f64)>, levels: Vec<Levels>) {
        if !cells.is_empty() {
            let thread = std::thread::spawn(move || levels.iter().map(Levels::image).collect());
            self.0.push_back(Download { cells, thread });
        }
    }

    /// A cell whose picture has not been finished.
    pub fn first(&self) -> Option<&Cell> {
        self.0.front().map(|download| &download.cells[0].0)
    }

    /// The pictures that were decoded together first, if they have arrived or should be waited for. The time of the wait is
    /// theirs; what the device did for them before others is in the time of those.
    pub fn next(&mut self, wait: bool) -> Option<Vec<Arrived>> {
        self.0.front().filter(|download| wait || download.thread.is_finished())?;
        let Download { cells, thread } = self.0.pop_front()?;
        let clock = Instant::now();
        let images = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let share = clock.elapsed().as_secs_f64() / cells.len() as f64;
        let arrived = cells.into_iter().zip(images);
        Some(
            arrived.map(|((cell, before), image)| Arrived { cell, seconds: before + share, image }).collect(),
        )
    }
}
