//! What a worker does differently where the run is in a bucket: there are no locks, and files here are copies.

use super::objects::SessionObjects;
use super::{FOLDER, fold};
use crate::log_columns::Status;
use crate::logs::read_logs;
use crate::mirror::Mirror;
use crate::{LogRow, Run, Runs, StartReason, StoreError, atomic, cells};
use maquette_bucket::Version;
use maquette_core::CellId;
use maquette_files::limits;
use maquette_share::{FINISHED, Objects};
use std::collections::HashSet;

/// The log of a run.
const LOG: &str = "log.csv";

/// Reads the log of a run that was started before, and returns the objects of the session that a worker joins.
///
/// Rows of the open session are not read: a worker sees those of a chunk when it claims it.
pub(super) fn open(runs: &Runs, mirror: &Mirror, run: &Run) -> Result<SessionObjects, StoreError> {
    let folder = runs.key(run.dir());
    let sessions = session_numbers(mirror, &folder)?;
    let newest = sessions.last().copied().unwrap_or(1);
    let objects =
        |number: u32| SessionObjects::Bucket(mirror.bucket.clone(), format!("{folder}/{FOLDER}/{number}/"));
    let is_over = objects(newest).exists(FINISHED)?;
    // The log after the sessions: what is folded meanwhile is in the log by then.
    runs.bring_keys(&[LOG, "experiment.toml"].map(|name| format!("{folder}/{name}")))?;
    for number in sessions.into_iter().filter(|number| *number < newest || is_over) {
        bring_rows(runs, mirror, &folder, number)?;
    }
    Ok(objects(if is_over { newest + 1 } else { newest }))
}

/// The cells of some rows that are done and whose pictures are in the bucket.
pub(super) fn done(mirror: &Mirror, rows: &[LogRow]) -> Result<HashSet<CellId>, StoreError> {
    let done: HashSet<CellId> =
        rows.iter().filter(|row| row.status() == Status::Done).map(LogRow::cell).collect();
    if done.is_empty() {
        return Ok(done);
    }
    let kept = mirror.bucket.list(".cells/")?;
    let kept = kept.iter().filter_map(|key| key.rsplit('/').next()?.strip_suffix(".png")?.parse().ok());
    let kept: HashSet<CellId> = kept.map(CellId).collect();
    Ok(done.intersection(&kept).copied().collect())
}

/// Makes a run that was just created known to other workers; false if another worker has created one with that number
/// meanwhile. What is here of it is removed then.
pub(super) fn publish(
    runs: &Runs,
    run: &Run,
    reason: StartReason,
    experiment: &str,
) -> Result<bool, StoreError> {
    let Some(mirror) = &runs.mirror else { return Ok(true) };
    let (dir, is_new) = (run.dir(), reason != StartReason::Resumed);
    let key = |name: &str| format!("{}/{name}", runs.key(dir));
    let plan = dir.join("plan.json");
    let bytes = maquette_files::read(&plan, limits::PLAN);
    let bytes = bytes.map_err(StoreError::io("read", &plan))?;
    if is_new && !mirror.bucket.create(&key("plan.json"), &bytes)? {
        std::fs::remove_dir_all(dir).map_err(StoreError::io("remove", dir))?;
        return Ok(false);
    }
    // Whoever created the run may have been killed before it wrote this.
    let text = dir.join("experiment.toml");
    if is_new || !text.exists() {
        mirror.bucket.create(&key("experiment.toml"), experiment.as_bytes())?;
        atomic::write_atomic(&text, experiment.as_bytes())?;
    }
    Ok(true)
}

impl Runs {
    /// Reads the log, the rows and the pictures of a run from the bucket; nothing for a folder.
    pub(super) fn bring_all(&self, run: &Run) -> Result<SeenLog, StoreError> {
        let Some(mirror) = &self.mirror else { return Ok(SeenLog::default()) };
        let seen = bring_log(self, mirror, run)?;
        self.bring_pictures(run)?;
        Ok(seen)
    }

    /// Reads the pictures of a run's rows from the bucket, and gives them their names in the run.
    pub(crate) fn bring_pictures(&self, run: &Run) -> Result<(), StoreError> {
        let rows = read_logs(run.dir())?.rows;
        let done = rows.iter().filter(|row| row.status() == Status::Done);
        let missing = done.map(|row| cells::path(self.root(), &row.cell())).filter(|path| !path.exists());
        self.bring_keys(&missing.map(|path| self.key(&path)).collect::<Vec<_>>())?;
        self.name_pictures(run)
    }

    /// Gives the pictures of a run's rows their names in the run.
    pub(crate) fn name_pictures(&self, run: &Run) -> Result<(), StoreError> {
        let rows = read_logs(run.dir())?.rows;
        for row in rows.iter().filter(|row| row.status() == Status::Done) {
            let kept = cells::path(self.root(), &row.cell());
            if let Some(image) = row.image()
                && kept.exists()
            {
                atomic::link_atomic(&kept, &run.picture(image)?)?;
            }
        }
        Ok(())
    }
}

/// The log of a run in a bucket as it was read, for the one who is going to replace it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenLog(Option<Version>);

/// Folds the rows into the log here, writes the run into the bucket, ends the session there, and removes its objects. `seen` is the
/// log to which the one here adds.
///
/// False, and nothing is written, if the session is over: another worker was taken for dead while it did the same. The log is
/// written first, and only over the one that was read: so it never takes away what another worker, of this session or of a later
/// one, has written meanwhile. Rows are removed after the end, so those that were read before it are whole.
pub(super) fn end(
    runs: &Runs,
    run: &Run,
    objects: &SessionObjects,
    mut seen: SeenLog,
) -> Result<bool, StoreError> {
    let (Some(mirror), SessionObjects::Bucket(_, session)) = (&runs.mirror, objects) else { return Ok(true) };
    let run_folder = runs.key(run.dir());
    let folder = format!("{run_folder}/{FOLDER}/");
    let mut newest;
    loop {
        fold(run.dir())?;
        // After a later session, the mark of this one is gone.
        newest = session_numbers(mirror, &run_folder)?.pop().unwrap_or(1);
        if *session != format!("{folder}{newest}/") || objects.exists(FINISHED)? {
            return Ok(false);
        }
        if replace_log(runs, mirror, run, &seen)? {
            break;
        }
        // Another worker ends the session, too, and may die before it is done: this one goes on from its log.
        seen = bring_log(runs, mirror, run)?;
    }
    runs.upload_beside_log(run)?;
    objects.create(FINISHED, b"")?;
    let left = mirror.bucket.list(&folder)?.into_iter();
    // The mark stays, so that no number is used twice.
    let left = left.filter(|key| *key != format!("{newest}/{FINISHED}")).map(|key| format!("{folder}{key}"));
    // What cannot be removed now is removed after the next session; its rows are in the log.
    let _ = mirror.bucket.remove(&left.collect::<Vec<_>>());
    Ok(true)
}

/// Reads the log and the rows of a run from the bucket.
fn bring_log(runs: &Runs, mirror: &Mirror, run: &Run) -> Result<SeenLog, StoreError> {
    let folder = runs.key(run.dir());
    let log = mirror.bucket.get(&format!("{folder}/{LOG}"))?;
    if let Some(log) = &log {
        atomic::write_unforced_with_time(&run.dir().join(LOG), &log.content, log.modified)?;
    }
    for number in session_numbers(mirror, &folder)? {
        bring_rows(runs, mirror, &folder, number)?;
    }
    Ok(SeenLog(log.map(|log| log.version)))
}

/// Writes the log into the bucket, unless another process has written it since it was read; false then.
fn replace_log(runs: &Runs, mirror: &Mirror, run: &Run, seen: &SeenLog) -> Result<bool, StoreError> {
    let path = run.dir().join(LOG);
    let bytes = maquette_files::read(&path, limits::LOG).map_err(StoreError::io("read", &path))?;
    Ok(mirror.bucket.replace(&runs.key(&path), &bytes, seen.0.as_ref())?)
}

/// The numbers of a run's sessions, ascending. `folder` is the key of the run's folder.
fn session_numbers(mirror: &Mirror, folder: &str) -> Result<Vec<u32>, StoreError> {
    let named = mirror.bucket.folders(&format!("{folder}/{FOLDER}/"))?;
    let mut numbers: Vec<u32> = named.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn bring_rows(runs: &Runs, mirror: &Mirror, folder: &str, session: u32) -> Result<(), StoreError> {
    let rows = format!("{folder}/{FOLDER}/{session}/rows/");
    let names = mirror.bucket.list(&rows)?;
    runs.bring_keys(&names.iter().map(|name| format!("{rows}{name}")).collect::<Vec<_>>())
}
