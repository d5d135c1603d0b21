//! The version of the engine's arithmetic.

/// Version of the engine's arithmetic, part of every cell's name.
///
/// It is incremented when a change makes different pixels from the same settings, so that old pictures are not mistaken
/// for new ones. A plan stores its version, so that the cells of an older run keep the names that are in its log.
pub const NUMERICS: u32 = 2;
