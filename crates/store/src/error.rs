//! The errors of the runs folder. Every message names its file or folder; the system's error is the source.

use maquette_bucket::BucketError;
use maquette_core::CellId;
use maquette_picture::PictureError;
use std::io;
use std::path::{Path, PathBuf};

/// The errors of the runs folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system reported an error: no space, no permission, no such file.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// The failed operation: `read`, `write`, `create`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process is rendering into this run.
    #[error("`{}` is in use: {} is rendering into this run", folder.display(), holder.as_deref().unwrap_or("another maquette process"))]
    Locked {
        /// The run's folder.
        folder: PathBuf,
        /// That process, its machine and since when, if they are known.
        holder: Option<String>,
    },
    /// Another process writes into this run, so that metrics cannot be added.
    #[error("`{}` is in use: another maquette process is writing into this run; metrics are added when no process does", folder.display())]
    InUse {
        /// The run's folder.
        folder: PathBuf,
    },
    /// No run has that name.
    #[error("there is no run `{query}` in `{}`", root.display())]
    NoRun {
        /// The requested name.
        query: String,
        /// The runs folder.
        root: PathBuf,
        /// The most similar names, nearest first; any names if none is similar.
        nearest: Vec<String>,
    },
    /// A name for runs that is in use, or that logs may use for another run.
    #[error("the name `{name}` is taken: {by}")]
    NameTaken {
        /// The name.
        name: String,
        /// By what, as a sentence without its full stop.
        by: String,
    },
    /// A run with picks, which is not removed by mistake.
    #[error("`{run}` has {picks} {}", if *picks == 1 { "pick" } else { "picks" })]
    HasPicks {
        /// The run.
        run: String,
        /// The number of its picked cells.
        picks: usize,
    },
    /// Several experiments have that prefix.
    #[error("`{query}` is ambiguous: it could be {}", .candidates.join(", "))]
    Ambiguous {
        /// The requested name.
        query: String,
        /// The matching names.
        candidates: Vec<String>,
    },
    /// A file of the runs folder is damaged or not of the expected kind.
    #[error("`{}` {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// A file that a newer version has written, in a format that this one does not know.
    #[error("`{}` has {field} {version}; this version of maquette reads {field} {known} and earlier ones", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The field with its version: `format`, or `naming` for a plan whose cells are named by newer rules.
        field: &'static str,
        /// Its version.
        version: u64,
        /// The latest version that this one reads.
        known: u32,
    },
    /// A path in a file of a run that leads out of the run's folder.
    #[error("`{}` names `{named}`: it leads out of the folder", folder.display())]
    Outside {
        /// The run's folder.
        folder: PathBuf,
        /// The path.
        named: String,
    },
    /// The bucket cannot be used.
    #[error(transparent)]
    Bucket(Box<BucketError>),
    /// A bucket, where a folder is needed.
    #[error(
        "`{address}` is a bucket, where runs can only be worked on by workers, listed and pulled; allowed here: a folder for runs"
    )]
    IsABucket {
        /// The address.
        address: String,
    },
    /// A run of another plan, where a run was to be pulled.
    #[error("`{}` is another run", folder.display())]
    AnotherRun {
        /// The folder.
        folder: PathBuf,
    },
    /// A picture that cannot be read or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A reference picture has changed since the plan was made.
    #[error("`{}` has changed since the plan was made", path.display())]
    Changed {
        /// The picture.
        path: PathBuf,
    },
    /// A folder for an export that has something in it.
    #[error("`{}` is not empty; allowed: a new or empty folder", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A cell that a run does not have.
    #[error("{run} has no cell {}", cell.short())]
    NoCell {
        /// The cell.
        cell: CellId,
        /// The run.
        run: String,
    },
    /// A file name that would be outside its folder.
    #[error("`{name}` cannot be written into `{}`; allowed: a plain file name", folder.display())]
    Name {
        /// The name.
        name: String,
        /// The folder for the file.
        folder: PathBuf,
    },
}

impl From<BucketError> for StoreError {
    fn from(error: BucketError) -> StoreError {
        StoreError::Bucket(Box::new(error))
    }
}

impl StoreError {
    /// Whether the error is about writing, not about finding or reading.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            StoreError::Io { doing: "write" | "create" | "remove" | "lock", .. }
                | StoreError::Name { .. }
                | StoreError::NotEmpty { .. }
                | StoreError::NameTaken { .. }
                | StoreError::HasPicks { .. }
        )
    }

    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("The disk is full. Make room and run again: finished cells are kept.".to_owned())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("Use `--runs DIR` to write to another folder.".to_owned())
                }
                _ => None,
            },
            StoreError::Locked { .. } => Some(
                "Wait for it to end: `--wait` does. To share the work, start each process with `--worker`.".to_owned(),
            ),
            StoreError::InUse { .. } => Some("Wait for it to end, then measure again.".to_owned()),
            StoreError::NoRun { nearest, .. } if nearest.is_empty() => {
                Some("The folder has no runs yet.".to_owned())
            }
            StoreError::NoRun { nearest, .. } => Some(format!("Existing runs: {}.", nearest.join(", "))),
            StoreError::Ambiguous { .. } => Some("Use a longer prefix.".to_owned()),
            StoreError::NameTaken { .. } => Some(
                "allowed: another name. A single run can get a name that has runs: `maquette rename NAME@1 OTHER`."
                    .to_owned(),
            ),
            StoreError::HasPicks { .. } => Some("Use `--with-picks` to remove them as well.".to_owned()),
            StoreError::Bucket(error) => error.hint(),
            StoreError::IsABucket { address } => Some(format!(
                "`maquette run FILE --worker` works on a run in a bucket; `maquette pull RUN DIR --runs {address}` copies one into a folder, where every command works."
            )),
            StoreError::AnotherRun { .. } => Some("allowed: another folder to pull into.".to_owned()),
            StoreError::Picture(error) => error.hint(),
            StoreError::Name { .. } => Some("Use letters, digits, `-`, `_` and `.`.".to_owned()),
            StoreError::Newer { .. } => Some("A newer version has written it: update maquette.".to_owned()),
            StoreError::Outside { .. } => Some(
                "allowed: a relative path without `..`, and no link out of the folder. Somebody has changed the run's files."
                    .to_owned(),
            ),
            StoreError::Damaged { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::NoCell { .. } => None,
            StoreError::Changed { .. } => Some("Run again to plan with the changed file.".to_owned()),
        }
    }

    /// For `map_err`: the failed operation and its file.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { doing, path, source }
    }

    pub(crate) fn newer(path: &Path, version: u64, known: u32) -> StoreError {
        StoreError::Newer { path: path.to_owned(), field: "format", version, known }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}
