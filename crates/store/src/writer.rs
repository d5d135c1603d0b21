//! Renders into a run: keeps finished pictures and writes the log. There is one writer at a time; it holds the lock until
//! it is dropped.

use crate::checked::{CheckedPictures, FileState};
use crate::log::{DamagedRow, Log};
use crate::log_columns::{FINAL, Status};
use crate::log_writer::{LogWriter, Opened};
use crate::logs::read_logs;
use crate::picture::{self, PictureProblem};
use crate::pictures_of_run::{Renderer, fingerprint, link_picture, renderers};
use crate::sync::Unsynced;
use crate::{LogRow, Run, Runs, Shard, StartReason, StoreError, Timings, cells, drafts};
use maquette_core::{Cell, CellId, Digest, Image, Outcome, Plan, Record, Remarks};
use maquette_files::Folder;
use maquette_interop::{FileHashes, encode_cell};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run that is being rendered into, from [`Runs::start`].
pub struct RunWriter {
    runs: Runs,
    run: Run,
    plan: Arc<Plan>,
    shard: Option<Shard>,
    reason: StartReason,
    records: Records,
    /// The records of the plan's cells, while drafts are rendered.
    set_aside: Option<Records>,
    damaged: Vec<DamagedRow>,
    checked: CheckedPictures,
    /// What has to be on the disk before the next rows.
    unsynced: Unsynced,
    /// What other tools call the files of the cells.
    hashes: FileHashes,
    /// Which run rendered a cell; read from all logs when first needed.
    renderers: Option<HashMap<CellId, Renderer>>,
    _locks: Vec<File>,
}

/// Where cells are recorded: in the log, or among the drafts.
struct Records {
    log: LogWriter,
    /// The folder of the pictures in the run.
    folder: &'static str,
    /// The picture of each cell that is done by the log.
    done: HashMap<CellId, LoggedPicture>,
    /// The cells that each draft stands for; `None` for the plan's cells themselves.
    finals: Option<HashMap<CellId, Vec<CellId>>>,
}

/// A cell's picture by the log.
struct LoggedPicture {
    /// Relative to the run.
    image: String,
    pixels: Option<Digest>,
}

impl RunWriter {
    pub(crate) fn new(
        runs: Runs,
        run: Run,
        plan: Plan,
        shard: Option<Shard>,
        reason: StartReason,
        log: LogWriter,
        locks: Vec<File>,
    ) -> Result<RunWriter, StoreError> {
        let Log { rows, damaged } = read_logs(run.dir())?;
        let done = rows.iter().filter(|row| row.status() == Status::Done).map(|row| {
            let image = row.image().unwrap_or_default().to_owned();
            (row.cell(), LoggedPicture { image, pixels: row.pixels() })
        });
        let records = Records { log, folder: "images", done: done.collect(), finals: None };
        let checked = CheckedPictures::read(run.dir());
        let (plan, renderers, hashes) = (Arc::new(plan), None, FileHashes::default());
        let _locks = locks;
        Ok(RunWriter {
            runs,
            run,
            plan,
            shard,
            reason,
            records,
            set_aside: None,
            damaged,
            checked,
            unsynced: Unsynced::default(),
            hashes,
            renderers,
            _locks,
        })
    }

    /// Records drafts from now on: the cells that are rendered stand for the cells of the plan that `finals` has for each.
    /// [`RunWriter::end_drafts`] ends it.
    pub fn begin_drafts(&mut self, finals: HashMap<CellId, Vec<CellId>>) -> Result<(), StoreError> {
        let path = self.run.dir().join(drafts::file_name(self.shard));
        let log = match LogWriter::open(&path, &self.plan, &[FINAL])? {
            Opened::Ready(log) => log,
            // Written by a version with other columns. The drafts themselves are in `.cells`.
            Opened::OtherColumns => {
                std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
                match LogWriter::open(&path, &self.plan, &[FINAL])? {
                    Opened::Ready(log) => log,
                    Opened::OtherColumns => return Err(StoreError::damaged(&path, "is not a log")),
                }
            }
        };
        let rows = self.run.drafts()?;
        let row_of = |cell: &CellId, draft: &CellId| rows.get(cell).filter(|row| row.cell() == *draft);
        let done = finals.iter().filter_map(|(draft, finals)| {
            let rows: Option<Vec<&LogRow>> = finals.iter().map(|cell| row_of(cell, draft)).collect();
            let row = *rows?.first()?;
            let image = row.image().unwrap_or_default().to_owned();
            Some((*draft, LoggedPicture { image, pixels: row.pixels() }))
        });
        let done = done.collect();
        let drafts = Records { log, folder: drafts::FOLDER, done, finals: Some(finals) };
        self.end_drafts();
        self.set_aside = Some(std::mem::replace(&mut self.records, drafts));
        Ok(())
    }

    /// Records the plan's cells again.
    pub fn end_drafts(&mut self) {
        if let Some(records) = self.set_aside.take() {
            self.records = records;
        }
    }

    /// The share of the cells that is rendered here: all of them without a shard. `cells` are the distinct cells of the plan.
    pub fn share(&self, cells: &[(usize, CellId)]) -> Vec<(usize, CellId)> {
        let holds = |position: usize| self.shard.is_none_or(|shard| shard.holds(position));
        let cells = cells.iter().enumerate().filter(|(position, _)| holds(*position));
        cells.map(|(_, cell)| *cell).collect()
    }

    /// Whether the log lists a cell as done and its picture exists; [`RunWriter::check_done`] checks the picture.
    pub fn is_logged(&self, id: &CellId) -> bool {
        self.records.done.get(id).is_some_and(|picture| self.run.dir().join(&picture.image).is_file())
    }

    /// Whether the log has the digest of every picture, so that [`RunWriter::check_done`] notices each that was edited.
    pub fn notices_edits(&self) -> bool {
        self.records.done.values().all(|picture| picture.pixels.is_some())
    }

    /// Sets the hashes by which other tools know the files of the cells; they are written into pictures.
    pub fn set_hashes(&mut self, hashes: FileHashes) {
        self.hashes = hashes;
    }

    /// The run, for reading.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The plan in the run's folder, with the seeds that were drawn when the run was created.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// The share of the cells that is rendered here.
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// Why the run was resumed or a new one started.
    pub fn start_reason(&self) -> StartReason {
        self.reason
    }

    /// The damaged rows of the run's logs when it was started.
    pub fn damaged_rows(&self) -> &[DamagedRow] {
        &self.damaged
    }

    /// Which of these cells are done: the log lists them, and the picture exists with the rendered pixels. Also returns
    /// the pictures that exist but are wrong; a missing picture may have been removed on purpose.
    ///
    /// A file with the size and modification time that it had when its pixels were last verified is taken to be the same; all
    /// others are decoded, on all cores.
    pub fn check_done(&mut self, cells: &[CellId]) -> (HashSet<CellId>, Vec<PictureProblem>) {
        let (dir, checked) = (self.run.dir(), &self.checked);
        let folder = Folder::new(dir);
        let logged = cells.iter().filter_map(|id| Some((*id, self.records.done.get(id)?)));
        let looked: Vec<_> = logged
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(id, picture)| (id, picture, check_picture(&folder, checked, id, picture)))
            .collect();
        let (mut done, mut problems, mut sound) = (HashSet::new(), Vec::new(), Vec::new());
        for (id, LoggedPicture { image, .. }, outcome) in looked {
            match outcome {
                Ok(Some(state)) => {
                    done.insert(id);
                    sound.extend(state.map(|state| (image.clone(), state)));
                }
                Ok(None) => {}
                Err(problem) => problems.push(PictureProblem { cell: id, path: dir.join(image), problem }),
            }
        }
        sound.into_iter().for_each(|(image, state)| self.checked.add(image, state));
        (done, problems)
    }

    /// Whether a run seems to have finished that cell; [`crate::Batch::reuse`] checks the picture.
    pub fn has_picture(&self, id: &CellId) -> bool {
        self.runs.has_cell(id)
    }

    /// Adds to the timings of this machine.
    pub fn remember(&self, measured: &Timings) -> Result<(), StoreError> {
        self.runs.remember(measured)
    }

    /// The fingerprint of the model that a cell names.
    pub fn fingerprint(&self, cell: &Cell) -> Digest {
        fingerprint(&self.plan, cell)
    }

    /// The rows of a cell that ended: one, or those of the cells that a draft stands for.
    pub(crate) fn rows(&self, record: &Record) -> Vec<u8> {
        let fingerprint = self.fingerprint(&record.cell);
        let row = |more: &[String]| self.records.log.row(record, &fingerprint, more);
        match &self.records.finals {
            None => row(&[]),
            Some(finals) => finals
                .get(&record.cell.id)
                .into_iter()
                .flatten()
                .flat_map(|cell| row(&[cell.to_string()]))
                .collect(),
        }
    }

    /// Forces the pictures of cells to the disk, then writes their rows.
    pub(crate) fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.unsynced.add_name(self.records.log.path(), self.runs.root());
        self.unsynced.sync()?;
        let rows: Vec<u8> = records.iter().flat_map(|record| self.rows(record)).collect();
        self.records.log.append(&rows)?;
        for record in records {
            if let Outcome::Done { image, pixels, .. } = &record.outcome {
                if let Some(state) = FileState::of(&self.run.dir().join(image)) {
                    self.checked.add(image.clone(), state);
                }
                let picture = LoggedPicture { image: image.clone(), pixels: Some(*pixels) };
                self.records.done.insert(record.cell.id, picture);
            }
        }
        Ok(())
    }

    /// Keeps the picture of a cell as a PNG file.
    pub(crate) fn keep(
        &mut self,
        cell: &Cell,
        image: &Image,
        remarks: &Remarks,
    ) -> Result<PathBuf, StoreError> {
        let png = encode_cell(image, cell, &self.fingerprint(cell), &self.hashes, remarks)?;
        cells::keep(self.runs.root(), &cell.id, &png)
    }

    /// The path of a cell's picture, whether it exists or not.
    pub(crate) fn kept(&self, id: &CellId) -> PathBuf {
        cells::path(self.runs.root(), id)
    }

    /// Gives a kept picture its readable name in this run.
    pub(crate) fn link(&mut self, cell: &Cell, kept: &Path) -> Result<String, StoreError> {
        let image = link_picture(&self.run, &self.plan, self.records.folder, cell, kept)?;
        self.unsynced.add_file(kept, self.runs.root());
        // Its own file where there are no hard links.
        self.unsynced.add_file(&self.run.dir().join(&image), self.runs.root());
        Ok(image)
    }

    pub(crate) fn renderer(&mut self, id: &CellId) -> Renderer {
        let runs = &self.runs;
        let renderers = self.renderers.get_or_insert_with(|| renderers(runs));
        renderers.get(id).cloned().unwrap_or_else(Renderer::unknown)
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // If this fails, the next writer decodes every picture.
        let _ = self.checked.save(self.run.dir());
    }
}

/// Checks the picture of a cell: the state of its file if it is right, `None` if it does not exist.
fn check_picture(
    run: &Folder<'_>,
    checked: &CheckedPictures,
    id: CellId,
    picture: &LoggedPicture,
) -> Result<Option<Option<FileState>>, String> {
    let (path, found) = run.find(&picture.image).map_err(|error| error.to_string())?;
    // Read before decoding: a file that changes meanwhile is decoded again next time.
    let state = found.as_ref().and_then(FileState::from_metadata);
    let found = match checked.holds(&picture.image, state) {
        true => Some(()),
        false => picture::check(&path, &id, picture.pixels)?.map(drop),
    };
    Ok(found.map(|()| state))
}
