//! `plan.json`: the plan of a run.
//!
//! Paths are relative to the run folder, so that the folder is self-contained and can be moved.

use crate::{StoreError, names, write_atomic};
use maquette_core::{Digest, FoundFile, MetricsSpec, NAMING, Plan, Training, shortened};
use maquette_files::{inside, limits};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the file's format.
const FORMAT: u32 = 1;

const NAME: &str = "plan.json";

#[derive(Serialize, Deserialize)]
struct PlanFile {
    format: u32,
    source: Digest,
    plan: Plan,
}

/// The part that every version of the format has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Whether a folder is a run.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join(NAME).is_file()
}

/// Writes the plan of a run, and copies the pictures it names into the run's folder.
pub(crate) fn write(run: &Path, source: &Digest, plan: &Plan) -> Result<(), StoreError> {
    keep_references(run, plan)?;
    let mut plan = plan.clone();
    for (path, picture) in &mut plan.pictures {
        picture.file = reference(path, picture);
    }
    plan.weights.values_mut().for_each(|found| found.file = PathBuf::new());
    plan.trainings.iter_mut().for_each(Training::forget_paths);
    let path = run.join(NAME);
    let file = PlanFile { format: FORMAT, source: *source, plan };
    let mut text = serde_json::to_vec_pretty(&file)
        .map_err(|error| StoreError::damaged(&path, format!("cannot be written: {error}")))?;
    text.push(b'\n');
    write_atomic(&path, &text)
}

/// The plan of a run and the digest of its experiment. Its pictures are the copies in the run's folder; the paths of its
/// weight files and of the pictures of its subjects are empty.
pub(crate) fn read(run: &Path) -> Result<(Digest, Plan), StoreError> {
    let path = run.join(NAME);
    let text = maquette_files::read(&path, limits::PLAN).map_err(StoreError::io("read", &path))?;
    let broken = |error: serde_json::Error| StoreError::damaged(&path, format!("is not a plan: {error}"));
    let Format { format } = serde_json::from_slice(&text).map_err(broken)?;
    if format > FORMAT.into() {
        return Err(StoreError::newer(&path, format, FORMAT));
    }
    let PlanFile { source, mut plan, .. } = serde_json::from_slice(&text).map_err(broken)?;
    if plan.naming > NAMING {
        let version = plan.naming.into();
        return Err(StoreError::Newer { path, field: "naming", version, known: NAMING });
    }
    plan.check().map_err(|problem| StoreError::damaged(&path, problem))?;
    for picture in plan.pictures.values_mut() {
        let named = picture.file.to_string_lossy().replace('\\', "/");
        picture.file = inside(run, &named).map_err(|error| {
            StoreError::damaged(&path, format!("names the picture `{}`: {error}", shortened(&named)))
        })?;
    }
    // Earlier versions wrote the paths of the files at that time.
    plan.weights.values_mut().for_each(|found| found.file = PathBuf::new());
    Ok((source, plan))
}

/// Gives the plan of a run another name: that of its experiment.
pub(crate) fn set_name(run: &Path, name: &str) -> Result<(), StoreError> {
    let path = run.join(NAME);
    let text = maquette_files::read(&path, limits::PLAN).map_err(StoreError::io("read", &path))?;
    // As JSON, so that nothing else in it changes, whatever version wrote it.
    let broken = |error: serde_json::Error| StoreError::damaged(&path, format!("is not a plan: {error}"));
    let mut file: serde_json::Value = serde_json::from_slice(&text).map_err(broken)?;
    let Some(found) = file.get_mut("plan").and_then(|plan| plan.get_mut("name")) else {
        return Err(StoreError::damaged(&path, "is not a plan: it has no name"));
    };
    if found == name {
        return Ok(());
    }
    *found = name.into();
    let mut text = serde_json::to_vec_pretty(&file).map_err(broken)?;
    text.push(b'\n');
    write_atomic(&path, &text)
}

/// Copies every picture that the plan names, unless there is a complete copy.
pub(crate) fn keep_references(run: &Path, plan: &Plan) -> Result<(), StoreError> {
    for (path, picture) in &plan.pictures {
        let copy = run.join(reference(path, picture));
        if maquette_files::read(&copy, limits::PICTURE)
            .is_ok_and(|bytes| Digest::of(&bytes) == picture.digest)
        {
            continue;
        }
        let bytes = maquette_files::read(&picture.file, limits::PICTURE)
            .map_err(StoreError::io("read", &picture.file))?;
        if Digest::of(&bytes) != picture.digest {
            return Err(StoreError::Changed { path: picture.file.clone() });
        }
        write_atomic(&copy, &bytes)?;
    }
    Ok(())
}

/// Whether two plans are the same except for the paths of files, the drawn seeds and the metrics.
pub(crate) fn same_but_for_draws(one: &Plan, other: &Plan) -> bool {
    let bare = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.metrics = MetricsSpec::default();
        for found in plan.pictures.values_mut().chain(plan.weights.values_mut()) {
            found.file = PathBuf::new();
        }
        plan.trainings.iter_mut().for_each(Training::forget_paths);
        for axis in plan.axes.iter_mut().filter(|axis| plan.drawn.contains_key(&axis.name)) {
            axis.values.truncate(1);
            axis.values.iter_mut().for_each(|value| {
                value.label.clear();
                value.set.clear();
            });
        }
        plan.drawn.values_mut().for_each(|seeds| seeds.fill(0));
        plan
    };
    bare(one) == bare(other)
}

fn reference(path_as_written: &str, picture: &FoundFile) -> PathBuf {
    Path::new("references").join(names::reference_name(path_as_written, &picture.digest))
}
