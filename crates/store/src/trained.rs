//! `.trained`: the weights of finished trainings, and the state of those that go on.
//!
//! ```text
//! .trained/
//!   <digest>.safetensors         weights after a number of steps, named by their training and that number
//!   class/<cell>.png             pictures of classes, which preserve what a model knows of them
//!   <digest>/                    a training
//!     .lock                      held by the process that trains
//!     training.json              its settings
//!     losses.csv                 a row per step
//!     state.safetensors          weights and optimizer after the last saved step, to resume from
//!     samples/<step>-<n>.png     pictures rendered with the weights after a number of steps
//! ```

use crate::atomic::{write_atomic, write_unforced};
use crate::{Run, Runs, StoreError, lock};
use maquette_core::{CellId, Digest, Training};
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of trained weights in the runs folder.
const TRAINED: &str = ".trained";

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
        self.root().join(TRAINED)
    }

    /// The folder of a training, whether it exists or not.
    pub fn training(&self, training: &Training) -> TrainingFolder {
        TrainingFolder::of(self.trained(), training)
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

impl Run {
    /// Shows a training in the run: its losses, its samples, and the weights after those steps, as far as they exist, as links
    /// under `trained/`. Returns that folder, relative to the run.
    pub fn show_training(&self, training: &Training, steps: &BTreeSet<u32>) -> Result<String, StoreError> {
        let folder = TrainingFolder::of(trained_beside(self), training);
        let shown = shown_as(training);
        let dir = self.dir().join(&shown);
        let losses = maquette_files::read(&folder.losses_file(), limits::LOG).unwrap_or_default();
        write_unforced(&dir.join("losses.csv"), &losses)?;
        for sample in folder.samples() {
            let name = format!("{}-{}.png", sample.step, sample.number);
            link(&sample.file, &dir.join("samples").join(name))?;
        }
        for step in steps {
            let weights = folder.weights(&training.weights_digest(*step));
            if weights.is_file() {
                link(&weights, &dir.join(format!("{}-{step}.safetensors", training.subject)))?;
            }
        }
        Ok(shown)
    }

    /// The losses and the samples that [`Run::show_training`] has shown; the samples' paths are relative to the run.
    pub fn shown_training(&self, training: &Training) -> (Vec<TrainingStep>, Vec<TrainingSample>) {
        let shown = shown_as(training);
        let folder = TrainingFolder { dir: self.dir().join(&shown), trained: PathBuf::new() };
        let relative = |sample: TrainingSample| {
            let name = sample.file.file_name().unwrap_or_default();
            TrainingSample { file: Path::new(&shown).join("samples").join(name), ..sample }
        };
        (folder.losses(), folder.samples().into_iter().map(relative).collect())
    }
}

/// The folder of trained weights in the runs folder that a run is in.
pub fn trained_beside(run: &Run) -> PathBuf {
    let root = run.dir().parent().and_then(Path::parent).unwrap_or(Path::new(""));
    root.join(TRAINED)
}

/// The name of weights that are a file of such a folder: it stands for their training and the number of steps, and is their
/// identity in cells. `None` of any other file.
pub fn trained_weights(file: &Path) -> Option<Digest> {
    let folder = file.parent()?.file_name()?;
    let stem = file.file_name()?.to_str()?.strip_suffix(".safetensors")?;
    (folder == TRAINED).then(|| stem.parse().ok())?
}

/// The folder of a training in a run, relative to it.
pub fn shown_as(training: &Training) -> String {
    // Subjects have no separators in their names; several models have trainings of one subject.
    format!("trained/{}-{}", training.subject, training.digest().short())
}

/// Gives a file another name, or copies it where links do not work.
fn link(file: &Path, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Ok(());
    }
    let folder = to.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    if std::fs::hard_link(file, to).is_ok() {
        return Ok(());
    }
    let bytes = maquette_files::read(file, limits::WEIGHTS).map_err(StoreError::io("read", file))?;
    write_unforced(to, &bytes)
}

impl TrainingFolder {
    fn of(trained: PathBuf, training: &Training) -> TrainingFolder {
        TrainingFolder { dir: trained.join(training.digest().to_string()), trained }
    }

    /// The file of weights with that name, whether it exists or not.
    pub fn weights(&self, digest: &Digest) -> PathBuf {
        self.trained.join(format!("{digest}.safetensors"))
    }

    /// Whether there is a state to resume from.
    pub fn has_state(&self) -> bool {
        self.state_file().is_file()
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

    fn class_picture(&self, id: &CellId) -> PathBuf {
        self.trained.join("class").join(format!("{id}.png"))
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

    /// The picture of a class with that name, if it was rendered before.
    pub fn class_picture(&self, id: &CellId) -> Option<PathBuf> {
        Some(self.folder.class_picture(id)).filter(|path| path.is_file())
    }

    /// Keeps a picture of a class for this training and others.
    pub fn save_class_picture(&self, id: &CellId, png: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.folder.class_picture(id), png)
    }

    /// Replaces the state.
    pub fn save_state(&self, bytes: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.folder.state_file(), bytes)
    }

    /// Saves weights under their name.
    pub fn save_weights(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        write_atomic(&self.folder.weights(digest), bytes)
    }

    /// Saves a sample as PNG, and returns its path.
    pub fn save_sample(&self, step: u32, number: usize, png: &[u8]) -> Result<PathBuf, StoreError> {
        let file = self.folder.dir.join("samples").join(format!("{step}-{number}.png"));
        write_unforced(&file, png)?;
        Ok(file)
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

    /// Removes the state: the training has ended, or goes on from its first step.
    pub fn remove_state(&self) -> Result<(), StoreError> {
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
