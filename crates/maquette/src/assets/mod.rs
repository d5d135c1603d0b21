//! The files that an experiment may name on this machine: models, pictures, weight files.

pub(crate) mod fetch;
pub(crate) mod models;
pub(crate) mod sha256;
pub(crate) mod weights;

use crate::error::with_causes;
use maquette_core::{Digest, Dtype, FoundFile, ModelCard, WeightsKind};
use maquette_diffusion::{
    ControlNetFiles, ImageEncoderFolder, IpAdapterFile, ModelError, ModelSource, SeparateVae, card_with,
    check_mask, files, fingerprint, safety_checker_digest, safety_checker_files,
};
use maquette_executor::FakeBackend;
use maquette_files::limits;
use maquette_hub::{Cache, Environment, HubError, Offer, Repository, Wanted};
use maquette_picture::{PictureError, decode_bytes};
use maquette_planner::{AssetError, AssetResolver};
use maquette_store::{Runs, Stamp};
use models::NoModel;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The models and files of this machine.
pub(crate) struct LocalAssets {
    /// The experiment file's folder, to which the names of model folders are relative.
    base: PathBuf,
    runs: Runs,
    hub: Environment,
    /// The hub's offers of models that an experiment names and that are not on this machine.
    absent: RefCell<Vec<Offer>>,
}

/// The fake backend's models, and the files of this machine.
pub(crate) struct FakeAssets;

impl LocalAssets {
    /// The assets of an experiment in the folder `base`.
    pub fn new(base: &Path, runs: &Runs, hub: &Environment) -> LocalAssets {
        LocalAssets {
            base: base.to_owned(),
            runs: runs.clone(),
            hub: hub.clone(),
            absent: RefCell::default(),
        }
    }

    /// The missing models that the hub has.
    pub fn absent(&self) -> Vec<Offer> {
        self.absent.borrow().clone()
    }

    /// Asks the hub for a model that is not on this machine, and notes its offer in `absent`. If all of its files are here
    /// under another name, only links are made.
    fn offered(&self, repository: &Repository, dtype: Dtype) -> Result<ModelSource, AssetError> {
        let half = if dtype == Dtype::F16 { " --dtype f16" } else { "" };
        self.offered_files(repository, "model", &models::model(dtype), half).map(ModelSource::Folder)
    }

    /// A ControlNet: a file or a folder, in the experiment's folder or in `controlnet/` there, or a repository.
    fn controlnet(&self, name: &str) -> Result<FoundFile, AssetError> {
        let file = match weights::locate(WeightsKind::ControlNet, name, &self.base) {
            Ok(file) => file,
            Err(missing) => match models::repository(name) {
                Some(repository) => match Cache::new(&self.hub).find(&repository, &Wanted::Single) {
                    Some(folder) => folder,
                    None => self.offered_files(&repository, "ControlNet", &Wanted::Single, "")?,
                },
                None => return Err(missing),
            },
        };
        match ControlNetFiles::digest(&file) {
            Ok(digest) => Ok(FoundFile { file, digest }),
            Err(error) => Err(AssetError { message: with_causes(&error), help: None }),
        }
    }

    /// An image encoder, or that of the IP-Adapter with that name. Its digest is cached, as it has gigabytes.
    fn image_encoder(&self, name: &str) -> Result<FoundFile, AssetError> {
        let file = weights::locate(WeightsKind::ImageEncoder, name, &self.base)?;
        let wrong = |error: ModelError| AssetError { message: with_causes(&error), help: None };
        let folder = ImageEncoderFolder::at(&file).map_err(wrong)?;
        let digest = cached_digest(&self.runs, &folder.files().map_err(wrong)?, || folder.digest());
        Ok(FoundFile { file: folder.path().to_owned(), digest: digest.map_err(wrong)? })
    }

    /// The same for the wanted files of a repository with a model or a part of one, which `what` names. `option` follows
    /// the name in the command that downloads them.
    fn offered_files(
        &self,
        repository: &Repository,
        what: &str,
        wanted: &Wanted,
        option: &str,
    ) -> Result<PathBuf, AssetError> {
        let refused = |error: HubError| AssetError {
            message: format!(
                "no {what} is called `{repository}` on this machine, and {}",
                with_causes(&error)
            ),
            help: error.hint(),
        };
        let hub = fetch::hub(&self.hub).map_err(refused)?;
        let offer = hub.offer(repository, wanted).map_err(refused)?;
        if offer.is_here() {
            return hub.fetch(&offer, &mut |_| {}).map_err(refused);
        }
        let missing = fetch::missing_text(&offer);
        let message = format!("`{repository}` is not on this machine: {missing} to download");
        self.absent.borrow_mut().push(offer);
        let help = format!("`maquette run` downloads it, or `maquette models fetch {repository}{option}`");
        Err(AssetError { message, help: Some(help) })
    }
}

/// The card of a model. Its fingerprint, which takes reading every byte, is cached in the runs folder.
pub(crate) fn card_of(source: &ModelSource, runs: &Runs) -> Result<ModelCard, ModelError> {
    card_with(source, || cached_digest(runs, &files(source), || fingerprint(source)))
}

/// Finds a model that is about to be loaded, hours after the plan perhaps: its files must still be those of the plan, which has
/// their fingerprint.
pub(crate) fn find_planned(
    name: &str,
    base: &Path,
    hub: &Environment,
    runs: &Runs,
    planned: Option<Digest>,
) -> Result<ModelSource, NoModel> {
    let source = models::find(name, base, hub)?;
    let has_changed = match planned {
        // A model in the program has no files.
        Some(planned) if !files(&source).is_empty() => card_of(&source, runs)?.fingerprint != planned,
        _ => false,
    };
    if has_changed { Err(NoModel::Changed { name: name.to_owned() }) } else { Ok(source) }
}

/// A digest over the content of files, cached in the runs folder for as long as their paths, sizes and times are the same.
fn cached_digest(
    runs: &Runs,
    files: &[PathBuf],
    digest: impl FnOnce() -> Result<Digest, ModelError>,
) -> Result<Digest, ModelError> {
    let before = Stamp::of(files);
    if let Some(known) = before.as_ref().and_then(|stamp| runs.fingerprint(stamp)) {
        return Ok(known);
    }
    let digest = digest()?;
    if let Some(stamp) = before.filter(|before| Stamp::of(files).as_ref() == Some(before)) {
        // A digest that cannot be saved is computed again next time.
        let _ = runs.remember_fingerprint(&stamp, digest);
    }
    Ok(digest)
}

impl AssetResolver for LocalAssets {
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        let wrong = |error: &dyn std::error::Error| AssetError { message: with_causes(error), help: None };
        let source = models::find(model, &self.base, &self.hub).map_err(|error| wrong(&error))?;
        let digest = || safety_checker_digest(&source);
        cached_digest(&self.runs, &safety_checker_files(&source), digest).map_err(|error| wrong(&error))
    }

    fn model(&self, name: &str, dtype: Dtype) -> Result<ModelCard, AssetError> {
        let source = match models::find(name, &self.base, &self.hub) {
            Ok(source) => source,
            Err(error) => match models::repository(name) {
                Some(repository) => self.offered(&repository, dtype)?,
                None => {
                    return Err(AssetError { message: with_causes(&error), help: error.hint() });
                }
            },
        };
        card_of(&source, &self.runs).map_err(|error| AssetError { message: with_causes(&error), help: None })
    }

    fn trained(&self) -> PathBuf {
        self.runs.trained()
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        picture(file)
    }

    fn mask_fits(&self, mask: &Path, picture: &Path) -> Result<(), AssetError> {
        mask_fits(mask, picture)
    }

    fn weights(&self, kind: WeightsKind, name: &str) -> Result<FoundFile, AssetError> {
        match kind {
            WeightsKind::Vae if self.base.join(name).is_dir() => vae(self.base.join(name)),
            WeightsKind::Vae => weights::locate(kind, name, &self.base).and_then(vae),
            WeightsKind::ControlNet => self.controlnet(name),
            WeightsKind::ImageEncoder => self.image_encoder(name),
            WeightsKind::IpAdapter => {
                let file = weights::locate(kind, name, &self.base)?;
                let wrong = |error| AssetError { message: with_causes(&error), help: None };
                IpAdapterFile::open(&file).map_err(wrong)?;
                weights::find(kind, name, &self.base)
            }
            WeightsKind::Lora | WeightsKind::Embedding => weights::find(kind, name, &self.base),
        }
    }
}

impl AssetResolver for FakeAssets {
    fn trained(&self) -> PathBuf {
        PathBuf::new()
    }

    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError> {
        Ok(Digest::of(model.as_bytes()))
    }

    fn mask_fits(&self, mask: &Path, picture: &Path) -> Result<(), AssetError> {
        mask_fits(mask, picture)
    }

    fn weights(&self, _: WeightsKind, name: &str) -> Result<FoundFile, AssetError> {
        weights(Path::new(name))
    }

    fn model(&self, name: &str, _: Dtype) -> Result<ModelCard, AssetError> {
        Ok(FakeBackend::card(name))
    }

    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError> {
        picture(file)
    }
}

/// Checks that a picture exists and can be read, so that nothing is rendered before a bad one is found.
fn picture(file: &Path) -> Result<FoundFile, AssetError> {
    let unusable = |error: PictureError| AssetError { message: with_causes(&error), help: error.hint() };
    let read = |source| PictureError::Read { path: file.to_owned(), source };
    let bytes = maquette_files::read(file, limits::PICTURE).map_err(read).map_err(unusable)?;
    decode_bytes(file, &bytes).map_err(unusable)?;
    Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) })
}

/// Checks that a mask has its picture's shape.
fn mask_fits(mask: &Path, picture: &Path) -> Result<(), AssetError> {
    check_mask(mask, picture).map_err(|error| AssetError { message: with_causes(&error), help: None })
}

/// An autoencoder, as a file or a folder.
fn vae(file: PathBuf) -> Result<FoundFile, AssetError> {
    match SeparateVae::digest(&file) {
        Ok(digest) => Ok(FoundFile { file, digest }),
        Err(error) => Err(AssetError { message: with_causes(&error), help: None }),
    }
}

/// A weight file.
fn weights(file: &Path) -> Result<FoundFile, AssetError> {
    let bytes = maquette_files::read(file, limits::WEIGHTS)
        .map_err(|error| AssetError { message: format!("{}: {error}", file.display()), help: None })?;
    Ok(FoundFile { file: file.to_owned(), digest: Digest::of(&bytes) })
}
