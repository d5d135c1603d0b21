//! Ctrl-C: the first time the cells in flight are finished, the second time the program stops at once. Every file is
//! whole at any moment, so stopping at once loses no finished cell.

use crate::exit::Exit;
use crate::output::message;
use maquette::Stop;

/// Listens to Ctrl-C and the termination signal from now on.
pub fn listen(stop: &Stop) {
    let stop = stop.clone();
    let listening = ctrlc::set_handler(move || {
        if stop.request() > 1 {
            #[allow(clippy::disallowed_methods, clippy::exit, reason = "the second Ctrl-C means now")]
            std::process::exit(Exit::Interrupted as i32);
        }
        message("\nstopping after the cells in flight; once more stops at once (finished cells are kept)");
    });
    if let Err(error) = listening {
        message(format_args!("Ctrl-C will stop at once: {error}"));
    }
}
