//! Starts a run: resumes the newest one if the experiment is unchanged, otherwise creates the next number.

use crate::former_names::FormerNames;
use crate::log_writer::{LogWriter, Opened};
use crate::{
    Run, RunWriter, Runs, Shard, StartReason, StoreError, lock, names, plan_file, share, sync, write_atomic,
};
use maquette_core::{Digest, Plan};
use std::io::ErrorKind;
use std::path::Path;

impl Runs {
    /// Starts a run, or resumes the newest of that name.
    ///
    /// `source` is the digest of the experiment before seeds were drawn. A caller that finds it in
    /// [`Runs::latest`] plans with that run's drawn seeds. Use [`RunWriter::plan`] afterwards, because
    /// another process may have started the run in the meantime. `experiment` is written to `experiment.toml`.
    ///
    /// Fails if another process renders into the run; shards share it with each other.
    pub fn start(
        &self,
        name: &str,
        experiment: &str,
        plan: &Plan,
        source: &Digest,
        shard: Option<Shard>,
    ) -> Result<RunWriter, StoreError> {
        self.start_with(name, experiment, plan, source, &|run, reason| open(self, run, plan, shard, reason))
    }

    /// The same, where `open` makes what renders into the run; `None` if the run cannot be resumed by this version.
    pub(crate) fn start_with<W>(
        &self,
        name: &str,
        experiment: &str,
        plan: &Plan,
        source: &Digest,
        open: &dyn Fn(Run, StartReason) -> Result<Option<W>, StoreError>,
    ) -> Result<W, StoreError> {
        let name = names::run_name(name);
        let folder = self.root().join(&name);
        std::fs::create_dir_all(&folder).map_err(StoreError::io("create", &folder))?;
        // No run is renamed or removed meanwhile.
        let _keeping = lock::wait_shared(&self.root().join(lock::OF_RUNS))?;
        // Two shards that start at the same moment must get the same number.
        let _starting = lock::wait(&folder.join(".lock"))?;
        let latest = self.of_name(&name)?.into_iter().max();
        let mut reason = StartReason::First;
        if let Some(run) = latest {
            reason = start_reason(&run, plan, source);
            if reason == StartReason::Resumed {
                plan_file::keep_references(run.dir(), plan)?;
                keep_metrics(&run, experiment, plan)?;
                let number = run.number();
                match open(run, reason)? {
                    Some(writer) => {
                        repoint_latest(&folder, number)?;
                        return Ok(writer);
                    }
                    None => reason = StartReason::OtherVersion,
                }
            }
        }
        let run = create(self, &folder, &name, experiment, plan, source)?;
        let dir = run.dir().to_owned();
        open(run, reason)?.ok_or_else(|| StoreError::damaged(&dir, "is a new run but has a log"))
    }
}

fn start_reason(run: &Run, plan: &Plan, source: &Digest) -> StartReason {
    match plan_file::read(run.dir()) {
        Ok((before, stored)) if before == *source && plan_file::same_but_for_draws(&stored, plan) => {
            StartReason::Resumed
        }
        Ok(_) => StartReason::Changed,
        Err(_) => StartReason::OtherVersion,
    }
}

/// Replaces the metrics of a run's plan by those of the experiment that resumes it.
fn keep_metrics(run: &Run, experiment: &str, requested: &Plan) -> Result<(), StoreError> {
    let (source, mut plan) = plan_file::read(run.dir())?;
    if plan.metrics != requested.metrics {
        plan.metrics.clone_from(&requested.metrics);
        plan_file::write(run.dir(), &source, &plan)?;
        // With other drawn seeds the text is that of another grid.
        if plan.drawn == requested.drawn {
            write_atomic(&run.dir().join("experiment.toml"), experiment.as_bytes())?;
        }
    }
    Ok(())
}

/// Creates the folder of a new run. It gets its number only when it is complete.
fn create(
    runs: &Runs,
    folder: &Path,
    name: &str,
    experiment: &str,
    plan: &Plan,
    source: &Digest,
) -> Result<Run, StoreError> {
    let building = folder.join(".starting");
    match std::fs::remove_dir_all(&building) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io("remove", &building)(error));
        }
        _ => {}
    }
    let fill = || {
        write_atomic(&building.join("experiment.toml"), experiment.as_bytes())?;
        plan_file::write(&building, source, plan)?;
        let number = 1 + highest_number(runs, name)?;
        let dir = folder.join(number.to_string());
        std::fs::rename(&building, &dir).map_err(StoreError::io("create", &dir))?;
        Ok(Run { name: name.to_owned(), number, dir })
    };
    let run = fill().inspect_err(|_: &StoreError| {
        let _ = std::fs::remove_dir_all(&building);
    })?;
    point_latest(folder, run.number())?;
    sync::folder(folder)?;
    Ok(run)
}

/// Points `latest` at a run that is resumed, unless it does already: the process that created the run may have been killed.
fn repoint_latest(folder: &Path, number: usize) -> Result<(), StoreError> {
    let (latest, name) = (folder.join("latest"), number.to_string());
    let linked = std::fs::read_link(&latest).is_ok_and(|to| to == Path::new(&name));
    // A plain file is the second choice: whatever kept the link from being made may be over.
    let written = || {
        cfg!(not(unix))
            && maquette_files::read_text(&latest, maquette_files::limits::LINE)
                .is_ok_and(|text| text.trim() == name)
    };
    if linked || written() { Ok(()) } else { point_latest(folder, number) }
}

/// The highest number of a name's runs, including those that were renamed or removed, so that a name in a log keeps its
/// meaning; and including folders that are not runs, which must not be overwritten.
pub(crate) fn highest_number(runs: &Runs, name: &str) -> Result<usize, StoreError> {
    let mut highest = FormerNames::read(runs.root())?.highest(name);
    let folder = runs.root().join(name);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(highest),
        entries => entries.map_err(StoreError::io("read", &folder))?,
    };
    for entry in entries {
        let name = entry.map_err(StoreError::io("read", &folder))?.file_name();
        highest = highest.max(name.to_str().and_then(|name| name.parse().ok()).unwrap_or(0));
    }
    Ok(highest)
}

/// Points `latest` at a run. It is for users and their tools; Maquette itself takes the highest number.
pub(crate) fn point_latest(folder: &Path, number: usize) -> Result<(), StoreError> {
    let latest = folder.join("latest");
    #[cfg(unix)]
    {
        let beside = folder.join(".latest");
        let _ = std::fs::remove_file(&beside);
        if std::os::unix::fs::symlink(number.to_string(), &beside).is_ok() {
            return std::fs::rename(&beside, &latest).map_err(StoreError::io("write", &latest));
        }
    }
    write_atomic(&latest, format!("{number}\n").as_bytes())
}

/// Takes the locks and opens the log; `None` if its columns are another version's. `requested` has the current paths of
/// weight files.
fn open(
    runs: &Runs,
    run: Run,
    requested: &Plan,
    shard: Option<Shard>,
    reason: StartReason,
) -> Result<Option<RunWriter>, StoreError> {
    let mut locks = vec![lock::of_writer(run.dir(), ".lock", shard.is_some())?];
    let log_name = shard.map_or_else(|| "log.csv".to_owned(), |shard| shard.log_name());
    if shard.is_some() {
        locks.push(lock::of_writer(run.dir(), &format!(".lock.{log_name}"), false)?);
    }
    let plan = plan_of(&run, requested)?;
    if shard.is_none() {
        share::fold(run.dir())?;
    }
    match LogWriter::open(&run.dir().join(log_name), &plan, &[])? {
        Opened::Ready(log) => RunWriter::new(runs.clone(), run, plan, shard, reason, log, locks).map(Some),
        Opened::OtherColumns => Ok(None),
    }
}

/// The plan in a run's folder, with the current paths of weight files from `requested`.
pub(crate) fn plan_of(run: &Run, requested: &Plan) -> Result<Plan, StoreError> {
    let (_, mut plan) = plan_file::read(run.dir())?;
    for (key, found) in &mut plan.weights {
        if let Some(now) = requested.weights.get(key) {
            found.file.clone_from(&now.file);
        }
    }
    for training in &mut plan.trainings {
        let now = requested.trainings.iter().find(|now| now.digest() == training.digest());
        if let Some(now) = now {
            training.clone_from(now);
        }
    }
    Ok(plan)
}
