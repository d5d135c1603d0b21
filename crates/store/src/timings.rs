//! `.timings.json`: durations and memory measured on this machine, for the estimates of a plan.
//!
//! This is a cache, not a record: a file that is missing or damaged reads as empty, and of two writers at once one wins.
//! What happened to each cell is in the log.

use crate::StoreError;
use crate::atomic::write_unforced;
use maquette_core::{Digest, Settings, Training};
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Sums of measurements for each kind of work.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    steps: Vec<(WorkKind, Speed)>,
    loads: Vec<(Load, Speed)>,
    memory: Vec<(WorkKind, u64)>,
    trainings: Vec<(TrainingKind, Speed)>,
}

/// A kind of work: cells of one kind take about the same time per step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkKind {
    /// The device.
    pub device: String,
    /// The model's fingerprint.
    pub fingerprint: Digest,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Precision, as in the log.
    pub dtype: String,
}

/// A kind of training: its steps take about the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingKind {
    /// The device.
    pub device: String,
    /// The model's fingerprint.
    pub fingerprint: Digest,
    /// What is trained, in words: the method and the layers.
    pub what: String,
    /// Width and height in pixels.
    pub resolution: (u32, u32),
    /// Pictures in a step, those of the class included.
    pub pictures: u32,
}

/// Loading one model on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Load {
    device: String,
    fingerprint: Digest,
}

/// A number of units of work and their total time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Speed {
    /// Denoising steps, or loads.
    pub count: u64,
    /// Total seconds.
    pub seconds: f64,
}

impl WorkKind {
    /// The kind of work of a cell with those settings.
    pub fn of(settings: &Settings, fingerprint: &Digest, device: &str) -> WorkKind {
        WorkKind {
            device: device.to_owned(),
            fingerprint: *fingerprint,
            width: settings.width,
            height: settings.height,
            dtype: settings.dtype.to_string(),
        }
    }
}

impl TrainingKind {
    /// The kind of a training on a device.
    pub fn of(training: &Training, device: &str) -> TrainingKind {
        let text = if training.train_text_encoder { " and text encoders" } else { "" };
        TrainingKind {
            device: device.to_owned(),
            fingerprint: training.fingerprint,
            what: format!("{} of {}{text}", training.method, training.layers),
            resolution: training.resolution,
            pictures: training.batch_size * if training.has_prior() { 2 } else { 1 },
        }
    }
}

impl Speed {
    /// Seconds per unit; `None` before the first measurement.
    pub fn seconds_each(&self) -> Option<f64> {
        (self.count > 0).then(|| self.seconds / self.count as f64)
    }
}

impl Timings {
    /// Adds a finished cell: its steps and its share of the engine's time.
    pub fn add_cell(&mut self, work: WorkKind, steps: u64, seconds: f64) {
        add(&mut self.steps, work, Speed { count: steps, seconds });
    }

    /// Adds the loading of a model.
    pub fn add_load(&mut self, device: &str, fingerprint: &Digest, seconds: f64) {
        let load = Load { device: device.to_owned(), fingerprint: *fingerprint };
        add(&mut self.loads, load, Speed { count: 1, seconds });
    }

    /// Adds steps of a training.
    pub fn add_training(&mut self, kind: TrainingKind, steps: u64, seconds: f64) {
        add(&mut self.trainings, kind, Speed { count: steps, seconds });
    }

    /// The time of a training's steps.
    pub fn training(&self, kind: &TrainingKind) -> Option<Speed> {
        self.trainings.iter().find(|(key, _)| key == kind).map(|(_, speed)| *speed)
    }

    /// Adds a peak of memory, in bytes, from rendering cells of that kind; the maximum is kept.
    pub fn add_memory(&mut self, work: WorkKind, bytes: u64) {
        match self.memory.iter_mut().find(|(found, _)| *found == work) {
            Some((_, most)) => *most = bytes.max(*most),
            None => self.memory.push((work, bytes)),
        }
    }

    /// The peak of memory, in bytes, from rendering cells of that kind.
    pub fn memory(&self, work: &WorkKind) -> Option<u64> {
        self.memory.iter().find(|(key, _)| key == work).map(|(_, bytes)| *bytes)
    }

    /// The time of steps of that kind; encoding and decoding are spread over them.
    pub fn steps(&self, work: &WorkKind) -> Option<Speed> {
        self.steps.iter().find(|(key, _)| key == work).map(|(_, speed)| *speed)
    }

    /// The time to load the model.
    pub fn loads(&self, device: &str, fingerprint: &Digest) -> Option<Speed> {
        let found =
            self.loads.iter().find(|(key, _)| key.device == device && key.fingerprint == *fingerprint);
        found.map(|(_, speed)| *speed)
    }
}

/// Reads the file; empty if there is none or it cannot be read.
pub(crate) fn read(root: &Path) -> Timings {
    let text = maquette_files::read(&path(root), limits::RUN_FILE).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Adds new measurements to the file.
pub(crate) fn add_to_file(root: &Path, now: &Timings) -> Result<(), StoreError> {
    let mut all = read(root);
    now.steps.iter().for_each(|(work, speed)| add(&mut all.steps, work.clone(), *speed));
    now.loads.iter().for_each(|(load, speed)| add(&mut all.loads, load.clone(), *speed));
    now.trainings.iter().for_each(|(kind, speed)| add(&mut all.trainings, kind.clone(), *speed));
    now.memory.iter().for_each(|(work, bytes)| all.add_memory(work.clone(), *bytes));
    let text = serde_json::to_vec_pretty(&all).unwrap_or_default();
    write_unforced(&path(root), &text)
}

fn add<K: PartialEq>(sums: &mut Vec<(K, Speed)>, key: K, more: Speed) {
    match sums.iter_mut().find(|(found, _)| *found == key) {
        Some((_, sum)) => {
            sum.count += more.count;
            sum.seconds += more.seconds;
        }
        None => sums.push((key, more)),
    }
}

fn path(root: &Path) -> PathBuf {
    root.join(".timings.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::test_plans::cell;

    #[test]
    fn measurements_add_up_and_a_torn_file_reads_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (cell, model) = (cell(), Digest::of(b"weights"));
        let work = WorkKind::of(&cell.settings, &model, "cpu");
        let mut now = Timings::default();
        now.add_cell(work.clone(), 20, 4.0);
        now.add_load("cpu", &model, 1.5);
        now.add_memory(work.clone(), 2000);
        now.add_memory(work.clone(), 1000);
        assert_eq!(read(folder.path()), Timings::default());
        add_to_file(folder.path(), &now).unwrap();
        add_to_file(folder.path(), &now).unwrap();
        let read_back = read(folder.path());
        assert_eq!(read_back.steps(&work), Some(Speed { count: 40, seconds: 8.0 }));
        assert_eq!(read_back.steps(&work).unwrap().seconds_each(), Some(0.2));
        assert_eq!(read_back.memory(&work), Some(2000));
        assert_eq!(read_back.loads("cpu", &model).unwrap().seconds_each(), Some(1.5));
        assert_eq!(read_back.steps(&WorkKind { device: "cuda:0".to_owned(), ..work }), None);
        let text = std::fs::read(path(folder.path())).unwrap();
        std::fs::write(path(folder.path()), &text[..text.len() / 2]).unwrap();
        assert_eq!(read(folder.path()), Timings::default());
    }
}
