//! Runs in a bucket: which objects they are, and copies of them in a temporary folder.
//!
//! A key is the path that the file would have in the runs folder. `.cells` holds the pictures; a run has `plan.json`, `experiment.toml`,
//! `references/`, `log.csv`, `sheets/` and `.share/`. Each process has a folder of its own with what it has made or read, see
//! `mirror.rs`.

use crate::atomic::write_unforced_with_time;
use crate::mirror::Mirror;
use crate::{Run, Runs, StoreError, cells, picture};
use maquette_bucket::Bucket;
use maquette_files::{inside, limits};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How many objects are in memory at once.
const AT_ONCE: usize = 64;

/// What of a run's folder is not written into the bucket as it is: pictures are in `.cells`, the page needs them beside it, and the
/// log is written under a condition.
const NOT_UPLOADED: [&str; 4] = ["images", "page", "index.html", "log.csv"];

impl Runs {
    /// Whether that is an address, such as `s3://bucket/runs`, and no path.
    pub fn is_address(root: &Path) -> bool {
        root.to_string_lossy().contains("://")
    }

    /// The runs in a bucket. `variables` are those of the environment, with keys and endpoint; requests that fail in passing are
    /// repeated for the time `patience`, by default for some minutes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Bucket`] if it cannot be used.
    pub fn open_bucket(
        address: &str,
        variables: &[(String, String)],
        patience: Option<Duration>,
    ) -> Result<Runs, StoreError> {
        let bucket = Bucket::open(address, variables, patience.unwrap_or(Bucket::PATIENCE))?;
        let mirror = Mirror::new(bucket)?;
        let mut runs = Runs::open(mirror.folder())?;
        runs.mirror = Some(Arc::new(mirror));
        Ok(runs)
    }

    /// For those who are going to write runs: checks that a bucket can be written as workers need, writes the pictures that earlier
    /// workers on this machine could not send, and removes their temporary folders. Returns how many pictures it has sent. Nothing
    /// for a folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::Bucket`] if it cannot be written, or replaces objects instead of creating them if absent.
    pub fn prepare_bucket(&self) -> Result<usize, StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(0) };
        mirror.bucket.prepare()?;
        let mut sent = 0;
        for left in mirror.left_folders() {
            for (id, path) in left.unsent() {
                // What a kill or a power failure has damaged is rendered again.
                if let Ok(Some(_)) = picture::check(&path, &id, None) {
                    let png = maquette_files::read(&path, limits::PICTURE);
                    let png = png.map_err(StoreError::io("read", &path))?;
                    let key = self.key(&cells::path(self.root(), &id));
                    sent += usize::from(mirror.bucket.create(&key, &png)?);
                }
            }
            left.remove();
        }
        Ok(sent)
    }

    /// How many finished pictures could not be written into the bucket, and the folder that they are kept in for
    /// [`Runs::prepare_bucket`]; `None` if there are none.
    pub fn unsent(&self) -> Option<(usize, &Path)> {
        let unsent = self.mirror.as_ref().map_or(0, |mirror| mirror.unsent());
        (unsent > 0).then(|| (unsent, self.root()))
    }

    /// Whether the runs are in a bucket.
    pub fn is_bucket(&self) -> bool {
        self.mirror.is_some()
    }

    /// Where people find that file of the runs: for a bucket, its address.
    pub fn shown(&self, path: &Path) -> PathBuf {
        match &self.mirror {
            Some(mirror) => format!("{}/{}", mirror.bucket.address(), self.key(path)).into(),
            None => path.to_owned(),
        }
    }

    /// Reads everything of a run but pictures and sheets from the bucket, for those who look at it; nothing for a folder.
    pub fn bring(&self, run: &Run) -> Result<(), StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        let folder = self.key(run.dir());
        let names = mirror.bucket.list(&format!("{folder}/"))?.into_iter();
        let keys = names.filter(|name| !name.starts_with("sheets/")).map(|name| format!("{folder}/{name}"));
        self.bring_keys(&keys.collect::<Vec<_>>())
    }

    /// Reads the plans of a name's runs from the bucket, those that are not here yet.
    pub(crate) fn bring_plans(&self, name: &str) -> Result<(), StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        let numbers = mirror.bucket.folders(&format!("{name}/"))?.into_iter();
        let plans = numbers.filter(|number| number.parse::<usize>().is_ok());
        let plans = plans.map(|number| format!("{name}/{number}/plan.json"));
        self.bring_keys(&plans.filter(|plan| !self.root().join(plan).exists()).collect::<Vec<_>>())
    }

    /// Reads those objects from the bucket that exist. Their files get the times of the objects.
    pub(crate) fn bring_keys(&self, keys: &[String]) -> Result<(), StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        for keys in keys.chunks(AT_ONCE) {
            for (key, object) in keys.iter().zip(mirror.bucket.get_all(keys)?) {
                let outside =
                    |_| StoreError::Outside { folder: mirror.bucket.address().into(), named: key.clone() };
                let path = inside(self.root(), key).map_err(outside)?;
                if let Some(object) = object {
                    write_unforced_with_time(&path, &object.content, object.modified)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the files of a run's folder into the bucket, except for the log.
    pub(crate) fn upload_beside_log(&self, run: &Run) -> Result<(), StoreError> {
        let mut files = Vec::new();
        if self.is_bucket() {
            collect(run.dir(), &mut files)?;
        }
        files.retain(|path| !NOT_UPLOADED.iter().any(|name| path.starts_with(run.dir().join(name))));
        files.sort();
        self.upload_files(&files)
    }

    /// Writes the scripts that were made for a queue, and the numbers of the jobs, into the bucket.
    pub fn upload_submission(&self, run: &Run) -> Result<(), StoreError> {
        let mut files = Vec::new();
        if self.is_bucket() {
            collect(&run.submit_folder(), &mut files)?;
        }
        self.upload_files(&files)
    }

    fn upload_files(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        for path in files {
            let bytes = maquette_files::read(path, limits::LOG).map_err(StoreError::io("read", path))?;
            mirror.bucket.put(&self.key(path), bytes)?;
        }
        Ok(())
    }

    /// The key of a file.
    pub(crate) fn key(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.root()).unwrap_or(path);
        let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
        names.join("/")
    }
}

/// The files in a folder, at any depth; hidden ones are left out.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(folder).map_err(StoreError::io("read", folder))? {
        let entry = entry.map_err(StoreError::io("read", folder))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files)?,
            _ => files.push(entry.path()),
        }
    }
    Ok(())
}
