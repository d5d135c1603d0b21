//! Why a run was resumed or a new one started.

/// Why a run was resumed or a new one started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartReason {
    /// It is the first of its name.
    First,
    /// The experiment of the newest run is unchanged, so that run is resumed.
    Resumed,
    /// The experiment has changed since the newest run.
    Changed,
    /// The newest run cannot be resumed because its plan or log was written by another version with other columns, or is
    /// damaged. Finished cells are still reused.
    OtherVersion,
}
