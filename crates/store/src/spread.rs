//! Which runs have so many pictures that they are spread over subfolders: directories of a hundred thousand files are slow on
//! network folders and to look at.

use maquette_core::{CellId, Plan};

/// A run of more cells than this has subfolders. (With 256 of them, none has more files than that up to 2.5 million cells.)
const MANY: usize = 10_000;

/// Whether the pictures of a run, its drafts and its thumbnails lie in subfolders, by the number of cells in its plan.
///
/// This is only about where new files are written. A picture is found by its path in the log, so that runs of earlier versions,
/// which had no subfolders, are read and resumed like others.
pub fn is_spread(plan: &Plan) -> bool {
    plan.len() > MANY
}

/// The subfolder of a cell: the first two digits of its name, as in `.cells`. The name of its picture ends with them, too, so that
/// whoever has the one knows the other.
pub(crate) fn subfolder(cell: &CellId) -> String {
    let mut digits = cell.to_string();
    digits.truncate(2);
    digits
}

/// Whether that is the name of a subfolder.
pub(crate) fn is_subfolder(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
