//! Why a run has the number it has.

/// Why a run has the number it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartReason {
    /// It is the first of its name.
    First,
    /// The newest run asks for the same and goes on.
    Resumed,
    /// The newest run asks for something else.
    Changed,
    /// The newest run asks for the same, but its plan or its log cannot be continued: another version wrote them
    /// with other columns, or they are damaged. Finished cells are reused all the same.
    OtherVersion,
}
