//! Reads whole files.

use crate::limits::{Limit, size};
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// Reads a regular file of at most that many bytes.
///
/// # Errors
///
/// The system's; for a larger file, and for a device or a pipe, one whose text says what it is and what is allowed. Memory
/// is only allocated for bytes that are there.
pub fn read(path: &Path, limit: Limit) -> Result<Vec<u8>, Error> {
    // A pipe is not opened: that could wait forever.
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a device or a pipe; allowed: a regular file"));
    }
    check_size(found.len(), limit)?;
    read_stream(path, limit)
}

/// The same for a file that may also be a device or a pipe, which the caller names.
pub fn read_stream(path: &Path, limit: Limit) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut start = File::open(path)?.take(limit.bytes + 1);
    start.read_to_end(&mut bytes)?;
    check_size(bytes.len() as u64, limit)?;
    Ok(bytes)
}

/// The same as [`read`], as text.
///
/// # Errors
///
/// Those of [`read`]; one of [`ErrorKind::InvalidData`] for a file that is not UTF-8.
pub fn read_text(path: &Path, limit: Limit) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Refuses a number of bytes beyond the limit: of a file that is mapped, or of a part of one.
pub fn check_size(bytes: u64, limit: Limit) -> Result<(), Error> {
    let Limit { kind, bytes: most } = limit;
    if bytes <= most {
        return Ok(());
    }
    // The size must show the difference.
    let has = if size(bytes) == size(most) { format!("{bytes} bytes") } else { size(bytes) };
    let text = format!("it has {has}; allowed for {kind}: at most {}", size(most));
    Err(Error::new(ErrorKind::FileTooLarge, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Limit = Limit { kind: "a test", bytes: 4 };

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let check = |content: &[u8], expected: Result<&[u8], &str>| {
            std::fs::write(&path, content).unwrap();
            for read in [read, read_stream] {
                let found = read(&path, FEW).map_err(|error| error.to_string());
                assert_eq!(found.as_deref().map_err(String::as_str), expected);
            }
        };
        check(b"", Ok(b""));
        check(b"1234", Ok(b"1234"));
        check(b"12345", Err("it has 5 bytes; allowed for a test: at most 4 bytes"));
        assert_eq!(read(folder.path(), FEW).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(&folder.path().join("gone"), FEW).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_text(&path, FEW).unwrap_err().to_string(), "it is not UTF-8");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_without_an_end_are_refused() {
        let zero = Path::new("/dev/zero");
        assert!(read(zero, FEW).unwrap_err().to_string().starts_with("it is a device or a pipe"));
        assert!(read_stream(zero, FEW).unwrap_err().to_string().starts_with("it has 5 bytes"));
    }
}
