//! Progress of reading many pictures, as lines on standard error.

use crate::output;
use std::time::{Duration, Instant};

/// The time between two lines; what is faster prints nothing.
const EVERY: Duration = Duration::from_secs(2);

/// Prints how many pictures are done.
pub struct Percent {
    what: &'static str,
    quiet: bool,
    last: Instant,
}

impl Percent {
    /// `what` is done, such as `measuring`.
    pub fn new(what: &'static str, quiet: bool) -> Percent {
        Percent { what, quiet, last: Instant::now() }
    }

    /// Prints a line from time to time.
    pub fn show(&mut self, done: usize, all: usize) {
        if !self.quiet && done < all && self.last.elapsed() >= EVERY {
            output::message(format_args!("{}: {done} of {all} pictures", self.what));
            self.last = Instant::now();
        }
    }
}
