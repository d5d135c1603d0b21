//! The wish to stop, shared with whoever catches signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The wish to stop. Clones are the same wish, so one can go to a signal handler.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Nobody wants to stop yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks to stop: the first time after the cells in flight, the second time at once. How often it was asked.
    pub fn request(&self) -> u8 {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.saturating_add(1)));
        before.unwrap_or(0).saturating_add(1)
    }

    /// Whether no new cell should begin.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 1
    }

    /// Whether not even the cells in flight should end.
    pub fn is_urgent(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 2
    }
}
