//! The cache on disk, in huggingface_hub's layout: finding models in it, and adding complete blobs to a snapshot.

use crate::info::is_commit;
use crate::wanted::{self, Wanted};
use crate::{Environment, HubError, Repository};
use maquette_files::limits;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The cache.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    links: bool,
}

impl Cache {
    /// The environment's cache; it need not exist yet.
    pub fn new(environment: &Environment) -> Cache {
        Cache { root: environment.cache.clone(), links: !environment.no_links }
    }

    /// The folder of a repository's files, if every wanted file is there.
    pub fn find(&self, repository: &Repository, wanted: &Wanted) -> Option<PathBuf> {
        let folder = self.snapshot(repository)?;
        let has = |file: &str| folder.join(file).is_file();
        let index = wanted::index(&has)
            .and_then(|index| maquette_files::read(&folder.join(index), limits::CONFIG).ok());
        wanted.files(index.as_deref(), &Vec::new, &has, &|_| false).ok()?;
        Some(folder)
    }

    /// The folder of a repository's files at the commit last fetched, which may be incomplete.
    pub fn snapshot(&self, repository: &Repository) -> Option<PathBuf> {
        let folder = self.folder(repository);
        let reference =
            maquette_files::read_text(&folder.join("refs").join(repository.revision()), limits::LINE);
        let commit =
            reference.map_or_else(|_| repository.revision().to_owned(), |commit| commit.trim().to_owned());
        is_commit(&commit).then(|| self.snapshot_at(repository, &commit)).filter(|folder| folder.is_dir())
    }

    /// Every repository that has a snapshot with an index of a model on its main branch: its name and the folder.
    pub fn models(&self) -> Vec<(Repository, PathBuf)> {
        let Ok(entries) = self.root.read_dir() else { return Vec::new() };
        let mut found: Vec<(Repository, PathBuf)> = entries
            .filter_map(|entry| {
                let repository = Repository::of_folder(entry.ok()?.file_name().to_str()?)?;
                let snapshot = self.snapshot(&repository)?;
                let has = |file: &str| snapshot.join(file).is_file();
                wanted::index(&has).is_some().then_some((repository, snapshot))
            })
            .collect();
        found.sort();
        found
    }

    pub(crate) fn snapshot_at(&self, repository: &Repository, commit: &str) -> PathBuf {
        self.folder(repository).join("snapshots").join(commit)
    }

    pub(crate) fn blob(&self, repository: &Repository, etag: &str) -> PathBuf {
        self.folder(repository).join("blobs").join(etag)
    }

    /// Opens the file that is locked while a blob is being written; the same one that huggingface_hub locks.
    pub(crate) fn lock_file(&self, repository: &Repository, etag: &str) -> Result<(PathBuf, File), HubError> {
        let path = self.root.join(".locks").join(repository.folder()).join(format!("{etag}.lock"));
        make_folder_of(&path)?;
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(write(&path))?;
        Ok((path, file))
    }

    /// Makes a complete blob the content of a file of a snapshot. `fresh`: the blob has just been written, so where
    /// links do not work it is moved rather than copied, as huggingface_hub does.
    pub(crate) fn place(
        &self,
        repository: &Repository,
        commit: &str,
        file: &str,
        etag: &str,
        fresh: bool,
    ) -> Result<(), HubError> {
        let (pointer, blob) = (self.snapshot_at(repository, commit).join(file), self.blob(repository, etag));
        make_folder_of(&pointer)?;
        if pointer.symlink_metadata().is_ok() {
            fs::remove_file(&pointer).map_err(write(&pointer))?;
        }
        let up = "../".repeat(file.matches('/').count() + 2);
        if self.links && symlink(Path::new(&format!("{up}blobs/{etag}")), &pointer).is_ok() {
            return Ok(());
        }
        if fresh {
            return fs::rename(&blob, &pointer).map_err(write(&pointer));
        }
        let half = unfinished(&pointer);
        fs::copy(&blob, &half).and_then(|_| fs::rename(&half, &pointer)).map_err(write(&pointer))
    }

    /// Records which commit a branch or tag points to.
    pub(crate) fn write_ref(&self, repository: &Repository, commit: &str) -> Result<(), HubError> {
        if repository.revision() == commit {
            return Ok(());
        }
        let path = self.folder(repository).join("refs").join(repository.revision());
        make_folder_of(&path)?;
        // Concurrent writers write the same content, each to its own temporary file.
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let half = unfinished(&path.with_extension(format!("{}-{nth}", std::process::id())));
        fs::write(&half, commit).and_then(|()| fs::rename(&half, &path)).map_err(write(&path))
    }

    fn folder(&self, repository: &Repository) -> PathBuf {
        self.root.join(repository.folder())
    }
}

pub(crate) fn make_folder_of(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(write(folder))
}

/// The name of a file until it is complete.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".incomplete");
    name.into()
}

/// For `map_err`: the file that cannot be written.
pub(crate) fn write(file: &Path) -> impl Fn(io::Error) -> HubError {
    let file = file.to_owned();
    move |source| HubError::Write { file: file.clone(), source }
}

#[cfg(unix)]
fn symlink(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(windows)]
fn symlink(to: &Path, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(to, at)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
