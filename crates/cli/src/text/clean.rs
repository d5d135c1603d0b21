//! What can be removed, as a table.

use crate::output;
use bytesize::ByteSize;
use maquette::{Unused, UnusedKind};

/// The kinds, with their names for one and for several files.
const KINDS: [(UnusedKind, &str, &str); 5] = [
    (UnusedKind::Run, "file of the run", "files of the run"),
    (UnusedKind::Cell, "cell that no run uses", "cells that no run uses"),
    (UnusedKind::Draft, "replaced draft", "replaced drafts"),
    (UnusedKind::Thumbnail, "thumbnail without a picture", "thumbnails without a picture"),
    (UnusedKind::Temporary, "temporary file", "temporary files"),
];

/// A row for each kind with the number and size of its files, and what removing them frees.
pub fn unused(unused: &Unused) -> String {
    if unused.files.is_empty() {
        return "nothing to remove\n".to_owned();
    }
    let size = |bytes: u64| ByteSize::b(bytes).display().iec().to_string();
    let row = |&(kind, one, many): &(UnusedKind, &str, &str)| {
        let files = || unused.files.iter().filter(|file| file.kind == kind);
        let count = files().count();
        let bytes = files().map(|file| file.bytes).sum();
        (count > 0)
            .then(|| vec![count.to_string(), if count == 1 { one } else { many }.to_owned(), size(bytes)])
    };
    let rows = KINDS.iter().filter_map(row);
    let table = output::table(&["", "", ""], rows);
    format!("{}frees {}\n", table.trim_start_matches('\n'), size(unused.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette::UnusedFile;

    #[test]
    fn files_are_counted_by_kind() {
        let file = |kind, bytes| UnusedFile { kind, path: "x".into(), bytes };
        let files = vec![
            file(UnusedKind::Cell, 1024),
            file(UnusedKind::Cell, 2048),
            file(UnusedKind::Draft, 2048),
            file(UnusedKind::Temporary, 0),
        ];
        let text = unused(&Unused { files, bytes: 3072, notes: vec![] });
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "2  cells that no run uses  3.0 KiB",
            "1  replaced draft          2.0 KiB",
            "1  temporary file          0 B",
            "frees 3.0 KiB",
        ];
        assert_eq!(lines, expected);
        assert_eq!(unused(&Unused::default()), "nothing to remove\n");
    }
}
