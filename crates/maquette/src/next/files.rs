//! Where the files of the parent are, as the new experiment names them.
//!
//! In the folder of the parent's experiment, paths stay as they were written. Elsewhere `folder` says where they start,
//! and models, weight files and pictures that are not there get their absolute paths.

use super::judged::Judged;
use crate::recreate::{NearbyFiles, base_of};
use maquette_core::{Kind, Setting, Value, WeightsKind};
use maquette_planner::ExperimentText;
use std::path::{Path, PathBuf};

/// Writes `folder` and paths. `problems` gets the files that are not found.
pub(super) fn place(
    text: &mut ExperimentText,
    judged: &Judged<'_>,
    nearby: &NearbyFiles,
    file: Option<&Path>,
    problems: &mut Vec<String>,
) {
    // Earlier versions wrote an empty folder for the current one.
    let base = base_of(judged.run).filter(|base| !base.as_os_str().is_empty());
    let folder = file.map(|file| absolute(file.parent().unwrap_or(Path::new(""))));
    let at_home = base.is_some() && base == folder;
    text.folder = base.as_ref().filter(|_| !at_home).map(|base| base.to_string_lossy().replace('\\', "/"));
    let written = text.settings.iter_mut();
    let swept = text.axes.iter_mut().flat_map(|axis| &mut axis.values).flat_map(|value| &mut value.set);
    let ruled = text.exclude.iter_mut().flatten();
    let ruled = ruled.flat_map(|(name, values)| values.iter_mut().map(|value| (&*name, value)));
    let mut place = |name: &str, value: &mut Value| {
        let Some(setting) = Setting::named(name) else { return };
        let found = match (setting.kind, &*value) {
            (Kind::Model, Value::Text(model)) if !at_home => Some(Value::Text(nearby.model(model))),
            (Kind::Path, Value::Text(path)) => picture(judged, nearby, base.as_deref(), path, problems),
            (Kind::Weights, Value::Weights(list)) if !at_home => {
                let kind = if name == "lora" { WeightsKind::Lora } else { WeightsKind::Embedding };
                let mut list = list.clone();
                for entry in &mut list {
                    weights(judged, nearby, kind, entry);
                }
                Some(Value::Weights(list))
            }
            _ => None,
        };
        if let Some(found) = found {
            *value = found;
        }
    };
    written.chain(swept).for_each(|(name, value)| place(name, value));
    ruled.for_each(|(name, value)| place(name, value));
    let models = text.metrics.models.values_mut().filter(|_| !at_home);
    models.for_each(|model| {
        if let Some(folder) = nearby.folder(model) {
            *model = folder;
        }
    });
    problems.dedup();
}

/// The path of a picture whose folder is not known, and the run's copy of one that is not in its place any more.
fn picture(
    judged: &Judged<'_>,
    nearby: &NearbyFiles,
    base: Option<&Path>,
    path: &str,
    problems: &mut Vec<String>,
) -> Option<Value> {
    let copy = judged.plan.pictures.get(path)?;
    let Some(base) = base else { return nearby.file(path, Some(&copy.digest)).map(Value::Text) };
    let original = base.join(path);
    let digest = maquette_files::read(&original, maquette_files::limits::PICTURE)
        .map(|bytes| maquette_core::Digest::of(&bytes));
    if digest.is_ok_and(|digest| digest == copy.digest) {
        return None;
    }
    problems.push(format!("`{path}` is gone or has changed; the run's copy of it is used"));
    Some(Value::Text(absolute(&copy.file).to_string_lossy().replace('\\', "/")))
}

/// The absolute path of a weight file. Its word stays the same.
fn weights(
    judged: &Judged<'_>,
    nearby: &NearbyFiles,
    kind: WeightsKind,
    entry: &mut maquette_core::WeightRef,
) {
    let digest = judged.plan.weights.get(&kind.key(&entry.name)).map(|found| found.digest);
    let Some(found) = digest.and_then(|digest| nearby.file(&entry.name, Some(&digest))) else { return };
    let stem = |path: &str| Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    if kind == WeightsKind::Embedding && entry.word.is_none() && stem(&found) != stem(&entry.name) {
        entry.word = stem(&entry.name);
    }
    entry.name = found;
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().collect()
}
