//! The models on this machine, and fetching models from the hub.

use crate::Workspace;
use crate::assets::fetch::{self, FetchEvent};
use crate::assets::{card_of, models};
use crate::error::{Error, with_causes};
use maquette_core::{Dtype, ModelCard};
use maquette_diffusion::{ModelError, ModelSource};
use maquette_hub::{HubError, Repository, Unusable, Wanted};
use maquette_store::StoreError;
use std::path::{Path, PathBuf};

/// A short description of the bundled model.
pub const BUNDLED_MODEL_ABOUT: &str = maquette_sketchbook::ABOUT;

/// Of the names of files with models.
const ENDINGS: [&str; 2] = ["safetensors", "gguf"];

/// A model that an experiment can name.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Its name in an experiment.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where it is.
    pub place: ModelPlace,
    /// Its card, or why it cannot be used; `None` for an incomplete model.
    pub card: Option<Result<ModelCard, String>>,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPlace {
    /// In the program itself.
    Bundled,
    /// In the hub's cache.
    Cache(PathBuf),
    /// A folder or a file that was searched for.
    Path(PathBuf),
}

/// A model that was fetched from the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModel {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it was complete before, so that nothing was downloaded.
    pub was_complete: bool,
}

impl Workspace {
    /// The models that are bundled or in the hub's cache.
    pub fn models(&self) -> Vec<ModelEntry> {
        let size: usize = maquette_sketchbook::FILES.iter().map(|(_, bytes)| bytes.len()).sum();
        let bundled = ModelEntry {
            name: maquette_sketchbook::NAME.to_owned(),
            bytes: size as u64,
            place: ModelPlace::Bundled,
            card: Some(self.card(&ModelSource::Bytes(maquette_sketchbook::FILES))),
        };
        let cached = models::all_cached(&self.environment.hub).into_iter();
        let cached = cached.map(|(repository, folder, complete)| ModelEntry {
            name: repository.to_string(),
            bytes: bytes_in(&folder),
            card: complete.then(|| self.card(&ModelSource::Folder(folder.clone()))),
            place: ModelPlace::Cache(folder),
        });
        std::iter::once(bundled).chain(cached).collect()
    }

    /// The models at a path: a model's folder or file, also one that cannot be used; or those in a folder and its folders, in
    /// the order of their names. There, files that are no model, such as LoRAs, are left out, and models that lack a part are not.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a folder cannot be read.
    pub fn models_at(&self, path: &Path) -> Result<Vec<ModelEntry>, Error> {
        if path.is_file() || models::is_model(path) {
            return Ok(vec![self.model_at(path, ModelSource::at(path))]);
        }
        let read = |source| StoreError::Io { doing: "read", path: path.to_owned(), source };
        let entries: Result<Vec<_>, _> = path.read_dir().map_err(read)?.collect();
        let mut paths: Vec<PathBuf> = entries.map_err(read)?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() {
                // Links to folders could lead back here; a folder with a file's name has configurations of its model.
                if !path.is_symlink() && !is_beside_file(&path) {
                    found.extend(self.models_at(&path)?);
                }
            } else if ENDINGS.iter().any(|ending| path.extension().is_some_and(|of| of == *ending)) {
                match ModelSource::at(&path) {
                    Err(ModelError::Checkpoint { .. } | ModelError::Gguf { .. }) => {}
                    source => found.push(self.model_at(&path, source)),
                }
            }
        }
        Ok(found)
    }

    fn model_at(&self, path: &Path, source: Result<ModelSource, ModelError>) -> ModelEntry {
        let card = source.map_err(|error| with_causes(&error)).and_then(|source| self.card(&source));
        let bytes = if path.is_dir() { bytes_in(path) } else { path.metadata().map_or(0, |file| file.len()) };
        ModelEntry {
            name: path.display().to_string(),
            bytes,
            place: ModelPlace::Path(path.to_owned()),
            card: Some(card),
        }
    }

    /// Downloads what is missing of a repository from the hub: a diffusion model in diffusers' layout, or a model for
    /// metrics, captions or masks in transformers' layout. Weights in half precision are preferred for
    /// [`Dtype::F16`]; the default is the precision of the device.
    ///
    /// # Errors
    ///
    /// [`Error::Hub`] where the hub cannot be reached or has no model of that name.
    pub fn fetch_model(
        &self,
        repository: &Repository,
        dtype: Option<Dtype>,
        safety_checker: bool,
        report: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<FetchedModel, Error> {
        let wanted =
            Wanted::Pipeline { dtype: dtype.unwrap_or_else(|| self.device().dtype()), safety_checker };
        let hub = fetch::hub(&self.environment.hub)?;
        let offer = match hub.offer(repository, &wanted) {
            // Not a diffusion model: one for metrics, captions or masks has its files at the top level.
            Err(error @ HubError::Unusable { reason: Unusable::NoIndex(_), .. }) => {
                match hub.offer(repository, &Wanted::Single) {
                    Err(HubError::Unusable { reason: Unusable::Missing(file), .. })
                        if file == "config.json" =>
                    {
                        return Err(error.into());
                    }
                    offer => offer?,
                }
            }
            offer => offer?,
        };
        let was_complete = offer.is_here();
        Ok(FetchedModel { folder: fetch::fetch(&hub, &offer, report)?, was_complete })
    }

    fn card(&self, source: &ModelSource) -> Result<ModelCard, String> {
        card_of(source, &self.runs).map_err(|error| with_causes(&error))
    }
}

/// Whether a file with a model has this name and an ending.
fn is_beside_file(folder: &Path) -> bool {
    ENDINGS.iter().any(|ending| {
        let mut file = folder.as_os_str().to_owned();
        file.push(".");
        file.push(ending);
        Path::new(&file).is_file()
    })
}

/// The bytes of all files below a folder. Links are followed, because the hub's cache consists of them.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    entries
        .flatten()
        .map(|entry| match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
