//! Handing a run to a queue: scripts that people can read and submit by hand, and the queue's own commands.
//!
//! Every queue gets workers of one run; which cells they render is decided among them. Not here: claims, rendering.

pub mod hyperqueue;
mod jobs;
pub mod kubernetes;
pub mod slurm;

pub use jobs::Jobs;
use maquette::Submission;

/// What the queue says about submitted jobs; `None` without the queue's commands, or if it knows the jobs no more.
pub fn state(submission: &Submission) -> Option<String> {
    match submission.queue.as_str() {
        slurm::NAME => slurm::state(submission),
        hyperqueue::NAME => hyperqueue::state(submission),
        _ => None,
    }
}
