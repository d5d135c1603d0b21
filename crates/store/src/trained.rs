//! `.trained`: the weights of finished trainings, and the state of those that go on.
//!
//! ```text
//! .trained/
//!   <digest>.safetensors         weights after a number of steps, named by their training and that number
//!   <digest>/                    a training
//!     .lock                      held by the process that trains
//!     training.json              its settings
//!     losses.csv                 a row per step
//!     state.safetensors          weights and optimizer after the last saved step, to resume from
//!     samples/<step>-<n>.png     pictures rendered with the weights after a number of steps
//! ```

use crate::atomic::{write_atomic, write_unforced};
use crate::{Runs, StoreError, lock};
use maquette_core::{Digest, Training};
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What happened in one step of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingStep {
    /// Its number, from 1.
    pub step: u32,
    /// The loss before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A picture rendered with the weights of a training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingSample {
    /// After how many steps.
    pub step: u32,
    /// Which of the pictures after that step, from 0.
    pub number: usize,
    /// The picture.
    pub file: PathBuf,
}

/// The folder of one training.
#[derive(Debug, Clone)]
pub struct TrainingFolder {
    dir: PathBuf,
    /// The folder of all weights.
    trained: PathBuf,
}

/// The folder of a training while this process trains; no other one does.
#[derive(Debug)]
pub struct TrainingWriter {
    folder: TrainingFolder,
    losses: Option<File>,
    _lock: File,
}

impl Runs {
    /// The folder of trained weights; see [`Training::weights_file`].
    pub fn trained(&self) -> PathBuf {
        self.root().join(".trained")
    }

    /// The folder of a training, whether it exists or not.
    pub fn training(&self, training: &Training) -> TrainingFolder {
        let trained = self.trained();
        TrainingFolder { dir: trained.join(training.digest().to_string()), trained }
    }

    /// Opens a training to go on with it, and waits while another process does so.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the folder cannot be written.
    pub fn begin_training(&self, training: &Training) -> Result<TrainingWriter, StoreError> {
        let folder = self.training(training);
        std::fs::create_dir_all(&folder.dir).map_err(StoreError::io("create", &folder.dir))?;
        let lock = lock::wait(&folder.dir.join(".lock"))?;
        let text = serde_json::to_vec_pretty(training).unwrap_or_default();
        write_unforced(&folder.dir.join("training.json"), &text)?;
        Ok(TrainingWriter { folder, losses: None, _lock: lock })
    }
}

impl TrainingFolder {
    /// The file of weights with that name, whether it exists or not.
    pub fn weights(&self, digest: &Digest) -> PathBuf {
        self.trained.join(format!("{digest}.safetensors"))
    }

    /// The steps so far. A torn last row is left out; a file that cannot be read has none.
    pub fn losses(&self) -> Vec<TrainingStep> {
        let bytes = maquette_files::read(&self.losses_file(), limits::LOG).unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        csv::Reader::from_reader(&bytes[..whole]).into_deserialize().map_while(Result::ok).collect()
    }

    /// The samples so far, by step and number.
    pub fn samples(&self) -> Vec<TrainingSample> {
        let entries = std::fs::read_dir(self.dir.join("samples")).into_iter().flatten().flatten();
        let sample = |path: PathBuf| {
            let (step, number) = path.file_name()?.to_str()?.strip_suffix(".png")?.split_once('-')?;
            Some(TrainingSample { step: step.parse().ok()?, number: number.parse().ok()?, file: path })
        };
        let mut samples: Vec<TrainingSample> = entries.filter_map(|entry| sample(entry.path())).collect();
        samples.sort_by_key(|sample| (sample.step, sample.number));
        samples
    }

    /// Whether a process trains at the moment.
    pub fn is_active(&self) -> bool {
        lock::is_held(&self.dir.join(".lock"))
    }

    fn losses_file(&self) -> PathBuf {
        self.dir.join("losses.csv")
    }

    fn state_file(&self) -> PathBuf {
        self.dir.join("state.safetensors")
    }
}

impl TrainingWriter {
    /// The folder.
    pub fn folder(&self) -> &TrainingFolder {
        &self.folder
    }

    /// The last saved state; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if there is one that cannot be read.
    pub fn state(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let file = self.folder.state_file();
        match maquette_files::read(&file, limits::WEIGHTS) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &file)(error)),
        }
    }

    /// Replaces the state.
    pub fn save_state(&self, bytes: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.folder.state_file(), bytes)
    }

    /// Saves weights under their name.
    pub fn save_weights(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.folder.weights(digest), bytes)
    }

    /// Saves a sample as PNG.
    pub fn save_sample(&self, step: u32, number: usize, png: &[u8]) -> Result<(), StoreError> {
        write_unforced(&self.folder.dir.join("samples").join(format!("{step}-{number}.png")), png)
    }

    /// Forgets the steps after `step`, which are going to be done again.
    pub fn resume_at(&mut self, step: u32) -> Result<(), StoreError> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        // The header, for a file without rows.
        let columns = rows.write_record(["step", "loss", "learning_rate", "seconds"]);
        let kept = self.folder.losses().into_iter().filter(|row| row.step <= step);
        let mut rest = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        let written = columns.and_then(|()| kept.into_iter().try_for_each(|row| rest.serialize(row)));
        let path = self.folder.losses_file();
        let failed = |error: csv::Error| StoreError::io("write", &path)(error.into());
        written.map_err(failed)?;
        let mut bytes = rows.into_inner().unwrap_or_default();
        bytes.extend(rest.into_inner().unwrap_or_default());
        write_unforced(&path, &bytes)?;
        let file = File::options().append(true).open(&path).map_err(StoreError::io("write", &path))?;
        self.losses = Some(file);
        Ok(())
    }

    /// Adds a step; [`TrainingWriter::resume_at`] comes before the first one.
    pub fn add_step(&mut self, step: &TrainingStep) -> Result<(), StoreError> {
        let path = self.folder.losses_file();
        let mut row = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        row.serialize(step).map_err(|error| StoreError::io("write", &path)(error.into()))?;
        let row = row.into_inner().unwrap_or_default();
        match &mut self.losses {
            Some(file) => file.write_all(&row).map_err(StoreError::io("write", &path)),
            None => Ok(()),
        }
    }

    /// Removes the state of a training that has ended.
    pub fn end(self) -> Result<(), StoreError> {
        remove(&self.folder.state_file())
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
