//! What can go wrong with the runs folder. Every message names the file or folder it is about; what the system said
//! is the error's source.

use maquette_picture::PictureError;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the runs folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused: no room, no permission, no such file.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else renders into this run.
    #[error("`{}` is in use: another maquette is rendering into this run", folder.display())]
    Locked {
        /// The run's folder.
        folder: PathBuf,
    },
    /// No run goes by that name.
    #[error("there is no run `{asked}` in `{}`", root.display())]
    NoRun {
        /// What was looked for.
        asked: String,
        /// The runs folder.
        root: PathBuf,
        /// The names that come closest, nearest first; all of them when nothing comes close.
        nearest: Vec<String>,
    },
    /// Several runs go by that prefix.
    #[error("`{asked}` could be any of {}", .candidates.join(", "))]
    Ambiguous {
        /// What was looked for.
        asked: String,
        /// What it could mean.
        candidates: Vec<String>,
    },
    /// A file that should be ours does not read as such.
    #[error("`{}` {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// A picture that cannot be read or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A reference picture is not what it was when the plan was made.
    #[error("`{}` changed since the plan was made", path.display())]
    Changed {
        /// The picture.
        path: PathBuf,
    },
    /// A file name that would leave its folder.
    #[error("`{name}` cannot be written into `{}`; allowed: a plain file name", folder.display())]
    Name {
        /// The name.
        name: String,
        /// Where it was to go.
        folder: PathBuf,
    },
}

impl StoreError {
    /// Whether something could not be written, rather than found or read.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            StoreError::Io { doing: "write" | "create" | "remove" | "lock", .. } | StoreError::Name { .. }
        )
    }

    /// What a person could do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("The disk is full. Make room and run again: finished cells are kept.".to_owned())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("`--runs DIR` puts the runs into another folder.".to_owned())
                }
                _ => None,
            },
            StoreError::Locked { .. } => {
                Some("Wait for it to end. To share the work, start every part with `--shard i/N`.".to_owned())
            }
            StoreError::NoRun { nearest, .. } if nearest.is_empty() => {
                Some("It holds no runs yet.".to_owned())
            }
            StoreError::NoRun { nearest, .. } => Some(format!("There is {}.", nearest.join(", "))),
            StoreError::Ambiguous { .. } => Some("Write a few letters more.".to_owned()),
            StoreError::Picture(error) => error.hint(),
            StoreError::Damaged { .. } | StoreError::Name { .. } => None,
            StoreError::Changed { .. } => Some("Run again: a new plan takes it as it is now.".to_owned()),
        }
    }

    /// For `map_err`: what was tried, and with which file.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { doing, path, source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}
