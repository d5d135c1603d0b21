//! Ctrl-C: the first one finishes the cells in flight, the second one stops the program at once. Every file is complete
//! at any moment, so stopping at once loses no finished cell.

use crate::exit::Exit;
use crate::output::message;
use maquette::Stop;

/// Calls a function at the first Ctrl-C or termination signal.
pub fn on_first(act: impl Fn() + Send + 'static) {
    if let Err(error) = ctrlc::set_handler(act) {
        message(format_args!("cannot handle Ctrl-C, which will stop the program at once: {error}"));
    }
}

/// Listens to Ctrl-C and the termination signal from now on.
pub fn listen(stop: &Stop) {
    let stop = stop.clone();
    let result = ctrlc::set_handler(move || {
        if stop.request() > 1 {
            #[allow(clippy::disallowed_methods, clippy::exit, reason = "the second Ctrl-C stops at once")]
            std::process::exit(Exit::Interrupted as i32);
        }
        message("\nstopping after the cells in flight; Ctrl-C again stops at once (finished cells are kept)");
    });
    if let Err(error) = result {
        message(format_args!("cannot handle Ctrl-C, which will stop the program at once: {error}"));
    }
}
