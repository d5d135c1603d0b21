//! A request to stop, shared with the signal handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A request to stop. Clones share their state, so that one can be moved into a signal handler.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Not requested yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Requests a stop: the first request stops after the cells in flight, the second at once. Returns the number of
    /// requests.
    pub fn request(&self) -> u8 {
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.saturating_add(1)));
        before.unwrap_or(0).saturating_add(1)
    }

    /// Whether no new cell should start.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 1
    }

    /// Whether to stop without finishing the cells in flight.
    pub fn is_urgent(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 2
    }
}
