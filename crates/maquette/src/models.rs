//! The models on this machine, and getting more of them.

use crate::Workspace;
use crate::assets::fetch::{self, FetchEvent};
use crate::assets::{card_of, models};
use crate::error::{Error, with_causes};
use maquette_core::{Dtype, ModelCard};
use maquette_diffusion::ModelSource;
use maquette_hub::{Repository, Wanted};
use std::path::{Path, PathBuf};

/// What the bundled model is, in a few words.
pub const BUNDLED_MODEL_ABOUT: &str = maquette_sketchbook::ABOUT;

/// A model that an experiment can name.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// What an experiment calls it.
    pub name: String,
    /// Bytes that it takes.
    pub bytes: u64,
    /// Where it is.
    pub place: ModelPlace,
    /// What it says of itself, or why it cannot be used; `None` for one that is not complete.
    pub card: Option<Result<ModelCard, String>>,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPlace {
    /// Inside the program.
    Bundled,
    /// In the hub's cache.
    Cache(PathBuf),
}

/// A model that was asked for from the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModel {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether nothing had to be downloaded.
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

    /// Asks the hub for a repository and gets what is not here yet. Weights in half precision are preferred for
    /// [`Dtype::F16`]; the default is what the device renders in.
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
        let wanted = Wanted { dtype: dtype.unwrap_or_else(|| self.device().dtype()), safety_checker };
        let hub = fetch::hub(&self.environment.hub)?;
        let offer = hub.offer(repository, &wanted)?;
        let was_complete = offer.is_here();
        Ok(FetchedModel { folder: fetch::fetch(&hub, &offer, report)?, was_complete })
    }

    fn card(&self, source: &ModelSource) -> Result<ModelCard, String> {
        card_of(source, &self.runs).map_err(|error| with_causes(&error))
    }
}

/// The bytes of all files below a folder; links are followed, as the hub's cache is made of them.
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
