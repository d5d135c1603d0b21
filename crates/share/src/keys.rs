//! The keys of the objects of a session. `docs/scale.md` draws them.

use crate::Chunk;
use crate::chunks::block_of;

/// What the name of an object in a block's folder says about a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// It is held by whoever created this number.
    Claimed(Chunk, u32),
    /// The holder of this number gave it back.
    GivenBack(Chunk, u32),
    /// Every cell of it has a row.
    Ended(Chunk),
}

/// Where the claims of a block are.
pub(crate) fn claims_prefix(block: u32) -> String {
    format!("claims/{block}/")
}

/// Where blocks are marked as ended.
pub(crate) const BLOCKS: &str = "blocks/";

/// The mark of a block that ended.
pub(crate) fn block_key(block: u32) -> String {
    format!("{BLOCKS}{block}")
}

/// Where the claims on the work after the last cell are: sheets, page, log.
pub(crate) const FINISH: &str = "finish/";

/// The key of the object that ends a session: claims that are made now are void.
pub const FINISHED: &str = "finished";

/// A claim on the work after the last cell.
pub(crate) fn finish_key(number: u32) -> String {
    format!("{FINISH}{number}")
}

impl Name {
    /// The key of the object with this name.
    pub fn key(self) -> String {
        match self {
            Name::Claimed(chunk, number) => format!("claims/{}/{chunk}.{number}", block_of(chunk)),
            Name::GivenBack(chunk, number) => format!("claims/{}/{chunk}.{number}.back", block_of(chunk)),
            Name::Ended(chunk) => format!("claims/{}/{chunk}.ended", block_of(chunk)),
        }
    }

    /// Reads a name; `None` for one that is not a claim's, such as a temporary file's.
    pub fn read(name: &str) -> Option<Name> {
        let (chunk, rest) = name.split_once('.')?;
        let chunk = chunk.parse().ok()?;
        match rest.strip_suffix(".back") {
            Some(number) => Some(Name::GivenBack(chunk, number.parse().ok()?)),
            None if rest == "ended" => Some(Name::Ended(chunk)),
            None => Some(Name::Claimed(chunk, rest.parse().ok()?)),
        }
    }
}

/// Where the rows of a chunk's cells are.
pub fn rows_prefix(chunk: Chunk) -> String {
    format!("rows/{}/{chunk}/", block_of(chunk))
}

/// The row of a cell. `cell` is its name.
pub fn row_key(chunk: Chunk, cell: &str) -> String {
    format!("{}{cell}.csv", rows_prefix(chunk))
}
