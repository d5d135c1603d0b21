//! The files of a ControlNet: a folder in diffusers' layout, or one file, whose configuration is inferred from its shapes
//! unless it has diffusers' names and a config.json beside it.

use crate::error::ModelError;
use crate::models::unet::controlnet::ControlNet;
use crate::weights::config::ConfigFile;
use crate::weights::content::{map_file, refuse_pickle};
use crate::weights::header::Header;
use crate::weights::load_options::LoadOptions;
use crate::weights::part_folder::{self, CONFIG};
use crate::weights::single_file::{Part, controlnet_in};
use crate::weights::source::ModelSource;
use crate::weights::tensors::WeightFile;
use maquette_core::Digest;
use serde_json::Value;
use std::path::{Path, PathBuf};

const STEM: &str = "diffusion_pytorch_model";

/// The files of a ControlNet.
pub struct ControlNetFiles(Place);

enum Place {
    Folder(PathBuf),
    File { weights: PathBuf, config: ConfigFile, part: Part },
}

impl ControlNetFiles {
    /// Finds it at a path: a folder with `config.json` and weights, or a `.safetensors` file. Reads its configuration and
    /// the headers of its weights, so that nothing is rendered before a bad one is found.
    pub fn open(path: &Path) -> Result<ControlNetFiles, ModelError> {
        refuse_pickle(path)?;
        if path.is_dir() {
            part_folder::weights_in(path, STEM)?;
            let config = ConfigFile::open(&ModelSource::Folder(path.to_owned()), CONFIG)?;
            ControlNet::check(&config)?;
            return Ok(ControlNetFiles(Place::Folder(path.to_owned())));
        }
        let content = map_file(path)?;
        let file = path.display().to_string();
        let header =
            Header::read(&content).map_err(|reason| ModelError::Weights { file: file.clone(), reason })?;
        let inferred = controlnet_in(&header);
        let beside = path.parent().map(|folder| ModelSource::Folder(folder.to_owned()));
        let beside = beside.filter(|folder| folder.has(CONFIG));
        let (config, part) = match (beside, inferred) {
            // A configuration beside a file with other names may belong to something else.
            (Some(folder), _) if header.contains_key(DIFFUSERS) => {
                (ConfigFile::open(&folder, CONFIG)?, Part::Plain)
            }
            (_, Ok((Value::Object(values), part))) => {
                (ConfigFile::inferred(format!("the configuration inferred from {file}"), values), part)
            }
            (_, Ok(_)) => return Err(ModelError::ControlNet { file, reason: "it is empty".to_owned() }),
            (_, Err(reason)) => return Err(ModelError::ControlNet { file, reason }),
        };
        ControlNet::check(&config)?;
        Ok(ControlNetFiles(Place::File { weights: path.to_owned(), config, part }))
    }

    /// The digest of the file, or of a folder's configuration and weights.
    pub fn digest(path: &Path) -> Result<Digest, ModelError> {
        match ControlNetFiles::open(path)?.0 {
            Place::Folder(folder) => part_folder::digest(&folder, STEM),
            Place::File { weights, config, .. } => {
                let mut hasher = blake3::Hasher::new();
                if let Some(beside) = weights.parent().map(|folder| folder.join(CONFIG))
                    && config.file() == beside.display().to_string()
                {
                    hasher.update_rayon(&map_file(&beside)?);
                }
                hasher.update_rayon(&map_file(&weights)?);
                Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
            }
        }
    }

    /// Loads it.
    pub(crate) fn load(&self, options: &LoadOptions) -> Result<ControlNet, ModelError> {
        match &self.0 {
            Place::Folder(folder) => {
                let source = ModelSource::Folder(folder.clone());
                let config = ConfigFile::open(&source, CONFIG)?;
                let weights = WeightFile::open(&source, STEM, config.file(), options)?;
                load(&config, &weights)
            }
            Place::File { weights, config, part } => {
                let weights = WeightFile::open_file(weights, part.clone(), config.file(), options)?;
                load(config, &weights)
            }
        }
    }
}

/// A tensor of every ControlNet under diffusers' names.
const DIFFUSERS: &str = "controlnet_cond_embedding.conv_in.weight";

fn load(config: &ConfigFile, weights: &WeightFile) -> Result<ControlNet, ModelError> {
    let controlnet = ControlNet::load(config, &weights.root())?;
    weights.all_used(|_| false)?;
    Ok(controlnet)
}
