//! A worker's side of a shared run: keeps pictures and writes rows, each created if absent.

use super::fold_when_free;
use super::in_bucket::{self, SeenLog};
use super::objects::{FolderObjects, SessionObjects, open_session};
use crate::atomic::{write_new, write_unforced};
use crate::log_columns::{Status, placeholders};
use crate::log_writer::{self, LogWriter};
use crate::logs::read_logs;
use crate::pictures_of_run::{Renderer, fingerprint, link_picture, renderers};
use crate::start::plan_of;
use crate::sync::Unsynced;
use crate::{
    LogRow, PictureProblem, Reuse, Run, Runs, StartReason, StoreError, Timings, cells, lock, picture,
};
use maquette_core::{Cell, CellId, Digest, Image, Outcome, Plan, Record, Remarks};
use maquette_interop::{FileHashes, encode_cell};
use maquette_share::{FINISHED, Objects};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A run that is rendered by several workers at once, from [`Runs::join`].
pub struct SharedWriter {
    runs: Runs,
    run: Run,
    plan: Arc<Plan>,
    reason: StartReason,
    objects: SessionObjects,
    /// The cells that are done by the log and whose pictures exist.
    done: HashSet<CellId>,
    placeholders: Vec<String>,
    hashes: FileHashes,
    /// Which run rendered a cell; read from all logs when first needed.
    renderers: OnceLock<HashMap<CellId, Renderer>>,
    /// Which names are on the disk.
    unsynced: Mutex<Unsynced>,
    /// Shared with the other workers; `None` in a bucket, of whose objects this process has copies of its own.
    _lock: Option<File>,
}

impl Runs {
    /// Starts a run that workers share, or joins the newest of that name; like [`Runs::start`].
    ///
    /// Fails if a process renders into the run that is not a worker or a shard.
    pub fn join(
        &self,
        name: &str,
        experiment: &str,
        plan: &Plan,
        source: &Digest,
    ) -> Result<SharedWriter, StoreError> {
        loop {
            let writer = self
                .start_with(name, experiment, plan, source, &|run, reason| open(self, run, plan, reason))?;
            if in_bucket::publish(self, &writer.run, writer.reason, experiment)? {
                return Ok(writer);
            }
            // Another worker has started it meanwhile: this one joins.
        }
    }
}

/// Takes the lock and joins the session; `None` if the columns of the log are another version's.
fn open(
    runs: &Runs,
    run: Run,
    requested: &Plan,
    reason: StartReason,
) -> Result<Option<SharedWriter>, StoreError> {
    let lock = match runs.is_bucket() {
        true => None,
        false => Some(lock::of_writer(run.dir(), ".lock", true)?),
    };
    // The session first: rows that are folded after this are in the log by then.
    let objects = match &runs.mirror {
        Some(mirror) => in_bucket::open(runs, mirror, &run)?,
        None => SessionObjects::Folder(FolderObjects::of(run.dir(), open_session(run.dir())?)),
    };
    let plan = plan_of(&run, requested)?;
    if !LogWriter::would_continue(&run.dir().join("log.csv"), &plan)? {
        return Ok(None);
    }
    let exists = |image: Option<&str>| image.is_some_and(|image| run.dir().join(image).is_file());
    let rows = read_logs(run.dir())?.rows;
    let here = rows.iter().filter(|row| row.status() == Status::Done && exists(row.image()));
    let done = match &runs.mirror {
        Some(mirror) => in_bucket::done(mirror, &rows)?,
        None => here.map(LogRow::cell).collect(),
    };
    Ok(Some(SharedWriter {
        done,
        placeholders: placeholders(&plan),
        runs: runs.clone(),
        run,
        plan: Arc::new(plan),
        reason,
        objects,
        hashes: FileHashes::default(),
        renderers: OnceLock::new(),
        unsynced: Mutex::default(),
        _lock: lock,
    }))
}

impl SharedWriter {
    /// The run, for reading.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The plan in the run's folder, with the seeds that were drawn when the run was created.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// Why the run was joined or a new one started.
    pub fn start_reason(&self) -> StartReason {
        self.reason
    }

    /// The objects of the session.
    pub fn objects(&self) -> &SessionObjects {
        &self.objects
    }

    /// Sets the hashes by which other tools know the files of the cells; they are written into pictures.
    pub fn set_hashes(&mut self, hashes: FileHashes) {
        self.hashes = hashes;
    }

    /// Whether a cell was done when this worker joined. Its picture exists; whether it was edited since is for
    /// [`crate::RunWriter::check_done`] to say.
    pub fn is_done(&self, id: &CellId) -> bool {
        self.done.contains(id)
    }

    /// Whether a run seems to have finished that cell; [`SharedWriter::reuse`] checks the picture.
    pub fn has_picture(&self, id: &CellId) -> Result<bool, StoreError> {
        let is_here = self.runs.has_cell(id);
        match &self.runs.mirror {
            Some(mirror) if !is_here => {
                Ok(mirror.bucket.exists(&self.runs.key(&cells::path(self.runs.root(), id)))?)
            }
            _ => Ok(is_here),
        }
    }

    /// Reuses the picture of a cell, of another run or of a worker that was stopped before it wrote the row. `key` is the
    /// row's.
    pub fn reuse(&self, key: &str, cell: &Cell) -> Result<Reuse, StoreError> {
        let kept = cells::path(self.runs.root(), &cell.id);
        if !kept.exists() {
            self.runs.bring_keys(&[self.runs.key(&kept)])?;
        }
        let renderers = self.renderers.get_or_init(|| renderers(&self.runs));
        let Renderer { run, pixels } = renderers.get(&cell.id).cloned().unwrap_or_else(Renderer::unknown);
        let picture::Whole { remarks, pixels } = match picture::check(&kept, &cell.id, pixels) {
            Ok(Some(whole)) => whole,
            Ok(None) => return Ok(Reuse::Absent),
            Err(problem) => {
                return Ok(Reuse::Unusable(PictureProblem { cell: cell.id, path: kept, problem }));
            }
        };
        let image = self.link(cell, &kept)?;
        let outcome = Outcome::Done { image, pixels, reused: Some(run) };
        let record = Record { cell: cell.clone(), outcome, seconds: None, device: None, remarks };
        self.record(key, record).map(|_| Reuse::Taken)
    }

    /// Keeps the picture of a newly rendered cell, and writes its row.
    ///
    /// If another worker has kept a picture of that cell meanwhile, that one stays and the row describes it.
    pub fn finish(
        &self,
        key: &str,
        cell: &Cell,
        image: &Image,
        (seconds, device): (f64, &str),
        remarks: Remarks,
    ) -> Result<Record, StoreError> {
        let png = encode_cell(image, cell, &fingerprint(&self.plan, cell), &self.hashes, &remarks)?;
        let kept = cells::path(self.runs.root(), &cell.id);
        let (mut pixels, mut remarks) = (image.digest(), remarks);
        let is_new = match &self.runs.mirror {
            None => write_new(&kept, &png)?,
            // What is here already was found damaged before.
            Some(mirror) => mirror.send(&cell.id, &self.runs.key(&kept), &kept, &png)?,
        };
        if !is_new {
            self.runs.bring_keys(&[self.runs.key(&kept)])?;
            match picture::check(&kept, &cell.id, None) {
                Ok(Some(whole)) => (pixels, remarks) = (whole.pixels, whole.remarks),
                // Damaged, or removed meanwhile.
                Ok(None) | Err(_) => {
                    write_unforced(&kept, &png)?;
                    if let Some(mirror) = &self.runs.mirror {
                        mirror.bucket.put(&self.runs.key(&kept), png)?;
                    }
                }
            }
        }
        let outcome = Outcome::Done { image: self.link(cell, &kept)?, pixels, reused: None };
        let (seconds, device) = (Some(seconds), Some(device.to_owned()));
        self.record(key, Record { cell: cell.clone(), outcome, seconds, device, remarks })
    }

    /// Keeps the picture of a newly rendered cell on this machine, after a bucket could not be written, for the next worker here.
    /// Nothing for a folder.
    pub fn hold(&self, cell: &Cell, image: &Image, remarks: &Remarks) -> Result<(), StoreError> {
        let Some(mirror) = &self.runs.mirror else { return Ok(()) };
        let png = encode_cell(image, cell, &fingerprint(&self.plan, cell), &self.hashes, remarks)?;
        mirror.hold(&cell.id, &png).map(drop)
    }

    /// Writes the row of a cell that could not be rendered.
    pub fn fail(&self, key: &str, cell: &Cell, error: &str, device: &str) -> Result<Record, StoreError> {
        let outcome = Outcome::Failed { error: error.to_owned() };
        let (cell, device) = (cell.clone(), Some(device.to_owned()));
        self.record(key, Record { cell, outcome, seconds: None, device, remarks: Remarks::default() })
    }

    /// Adds to the timings of this machine.
    pub fn remember(&self, measured: &Timings) -> Result<(), StoreError> {
        crate::timings::add_to_file(self.runs.root(), measured)
    }

    /// For the last worker: reads the log, the rows and the pictures of a run in a bucket, so that sheets can be drawn from the files
    /// here. Returns what [`SharedWriter::end_session`] needs. Nothing for a folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::Bucket`] if the bucket cannot be read.
    pub fn bring_all(&self) -> Result<SeenLog, StoreError> {
        self.runs.bring_all(&self.run)
    }

    /// Ends the session: whoever claims something now learns that it is over. For a run in a bucket, writes the log and what else is
    /// in the run's folder; false if another worker has ended the session meanwhile: the log and the sheets there are the other's.
    pub fn end_session(&self, seen: SeenLog) -> Result<bool, StoreError> {
        let ended = in_bucket::end(&self.runs, &self.run, &self.objects, seen)?;
        self.objects.create(FINISHED, b"")?;
        Ok(ended)
    }

    /// Leaves the run. If the session is over and no other process is in the run any more, the rows are folded: the worker that
    /// finished may have waited for this one in vain.
    pub fn leave(self) -> Result<(), StoreError> {
        match &self.objects {
            SessionObjects::Folder(folder) if folder.is_over() => self.fold(Duration::ZERO).map(drop),
            _ => Ok(()),
        }
    }

    /// Leaves the run, and folds the rows into `log.csv` as soon as no other process is in it, or gives that up after a time.
    /// Returns whether it was done; until then readers find the rows where they are.
    pub fn fold(self, patience: Duration) -> Result<bool, StoreError> {
        let SharedWriter { runs, run, _lock, .. } = self;
        drop(_lock);
        if runs.is_bucket() {
            // Done when the session was ended.
            return Ok(true);
        }
        fold_when_free(run.dir(), patience)
    }

    /// Writes a row unless there is one: then another worker has recorded the cell, with the same picture.
    fn record(&self, key: &str, record: Record) -> Result<Record, StoreError> {
        let row =
            log_writer::row_with_header(&record, &fingerprint(&self.plan, &record.cell), &self.placeholders);
        let is_new = self.objects.create(key, &row)?;
        let Some(path) = self.objects.file(key) else { return Ok(record) };
        // Reserved by a process that was killed, on a file system without hard links.
        if !is_new && path.metadata().is_ok_and(|file| file.len() == 0) {
            write_unforced(&path, &row)?;
        }
        let mut unsynced = self.unsynced();
        unsynced.add_file(&path, self.runs.root());
        unsynced.sync()?;
        Ok(record)
    }

    /// Gives a kept picture its readable name in this run, and forces both to the disk.
    fn link(&self, cell: &Cell, kept: &Path) -> Result<String, StoreError> {
        let image = link_picture(&self.run, &self.plan, "images", cell, kept)?;
        if self.runs.is_bucket() {
            // What is here is a copy.
            return Ok(image);
        }
        let mut unsynced = self.unsynced();
        unsynced.add_file(kept, self.runs.root());
        unsynced.add_file(&self.run.dir().join(&image), self.runs.root());
        unsynced.sync()?;
        Ok(image)
    }

    fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
