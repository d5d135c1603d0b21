//! `maquette status`: how far a run is, by worker, with the queue's own word.

use super::shared_workspace;
use crate::args::{Common, StatusArgs};
use crate::exit::Outcome;
use crate::{output, queues, text};

pub fn status(args: &StatusArgs, common: &Common) -> Outcome {
    let status = shared_workspace(common)?.status(&args.run)?;
    let queue = status.submission.as_ref().and_then(queues::state);
    output::print(&match args.json {
        true => text::status_json(&status, queue.as_deref()),
        false => text::status(&status, queue.as_deref()),
    })
}
