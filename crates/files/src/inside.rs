//! Paths that files name, which must not leave the folder of the file.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A path that leaves its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideError;

impl std::fmt::Display for OutsideError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "it leads out of the folder; allowed: a relative path without `..`, and no link out of it",
        )
    }
}

impl std::error::Error for OutsideError {}

/// Whether a path has only names of files and folders in it, on every system: it is relative, has no `..`, no drive, no
/// backslash and no control character, and is not empty.
pub fn is_plain_path(path: &str) -> bool {
    let plain = |part: &str| {
        let ends = |c: char| part.ends_with(c);
        !part.is_empty()
            && !ends('.')
            && !ends(' ')
            && !part.contains(|c: char| c.is_control() || "\\:".contains(c))
    };
    path.split('/').all(plain)
}

/// The path of a file that another file in `folder` names. It may not exist.
///
/// # Errors
///
/// [`OutsideError`] for a path that is not [plain](is_plain_path), and for a link, of the file or of a folder on the way, that
/// leads out of `folder`.
pub fn inside(folder: &Path, path: &str) -> Result<PathBuf, OutsideError> {
    if !is_plain_path(path) {
        return Err(OutsideError);
    }
    let (mut at, mut linked) = (folder.to_owned(), false);
    for part in path.split('/') {
        at.push(part);
        linked |= at.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink());
    }
    // Where there are no links, which is the rule, nothing needs to be resolved.
    if linked {
        let (root, real) = (folder.canonicalize(), at.canonicalize());
        let stays = matches!((&root, &real), (Ok(root), Ok(real)) if real.starts_with(root));
        return if stays { Ok(at) } else { Err(OutsideError) };
    }
    Ok(at)
}

/// A folder of whose files many are looked for: the folders on the way are looked at once.
#[derive(Debug)]
pub struct Folder<'a> {
    path: &'a Path,
    /// Those that were seen, and whether they are no links.
    seen: Mutex<HashMap<String, bool>>,
}

impl<'a> Folder<'a> {
    /// Nothing is known about it yet.
    pub fn new(path: &'a Path) -> Folder<'a> {
        Folder { path, seen: Mutex::default() }
    }

    /// As [`inside`], with the file's metadata; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// As [`inside`].
    pub fn find(&self, path: &str) -> Result<(PathBuf, Option<Metadata>), OutsideError> {
        if is_plain_path(path) && path.rsplit_once('/').is_none_or(|(parent, _)| self.has_no_links(parent)) {
            let at = self.path.join(path);
            match at.symlink_metadata() {
                Ok(found) if !found.file_type().is_symlink() => return Ok((at, Some(found))),
                Ok(_) => {}
                Err(_) => return Ok((at, None)),
            }
        }
        let at = inside(self.path, path)?;
        let found = at.metadata().ok();
        Ok((at, found))
    }

    /// Whether no folder on the way to this one is a link, nor the folder itself.
    fn has_no_links(&self, folder: &str) -> bool {
        if let Some(&known) = self.seen().get(folder) {
            return known;
        }
        let above = folder.rsplit_once('/').is_none_or(|(parent, _)| self.has_no_links(parent));
        let found = self.path.join(folder).symlink_metadata();
        let plain = above && !found.is_ok_and(|found| found.file_type().is_symlink());
        self.seen().insert(folder.to_owned(), plain);
        plain
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, bool>> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_stays_below_its_folder() {
        for path in ["a", "images/a.png", "a b/ü.png", "a..b", "-", ".hidden"] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in [
            "", "/", "/etc", "..", "a/../b", ".", "a/.", "a//b", "a/", "c:", "a\\b", "a\0", "a.", "a ", "a\n",
        ] {
            assert!(!is_plain_path(path), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_must_stay_below_its_folder() {
        use std::os::unix::fs::symlink;
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("run");
        std::fs::create_dir_all(folder.join("images")).unwrap();
        std::fs::write(outer.path().join("secret"), "").unwrap();
        std::fs::write(folder.join("images/a"), "").unwrap();
        symlink("a", folder.join("images/b")).unwrap();
        symlink("../../secret", folder.join("images/c")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("gone", folder.join("dangling")).unwrap();
        // A folder that is itself reached through a link.
        symlink("run", outer.path().join("link")).unwrap();
        for root in [folder.clone(), outer.path().join("link")] {
            for (path, stays) in [
                ("images/a", true),
                ("images/b", true),
                ("images/gone", true),
                ("images/c", false),
                ("up/secret", false),
                ("dangling", false),
            ] {
                assert_eq!(inside(&root, path).is_ok(), stays, "{path}");
                let found = Folder::new(&root).find(path);
                assert_eq!(found.is_ok(), stays, "{path}");
                assert_eq!(found.is_ok_and(|(_, file)| file.is_some()), stays && path != "images/gone");
            }
        }
    }
}
