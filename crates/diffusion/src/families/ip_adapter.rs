//! The files of an IP-Adapter: its weights, and the folder of the encoder of its pictures, which usually lies near them.

use crate::error::ModelError;
use crate::models::clip_vision::ImageEncoder;
use crate::models::unet::ip_adapter::{ImageInput, IpAdapter, IpAdapterShape};
use crate::weights::config::ConfigFile;
use crate::weights::content::{map_file, refuse_pickle};
use crate::weights::header::Header;
use crate::weights::load_options::LoadOptions;
use crate::weights::part_folder::{self, CONFIG};
use crate::weights::single_file::Part;
use crate::weights::source::ModelSource;
use crate::weights::tensors::WeightFile;
use maquette_core::Digest;
use std::path::{Path, PathBuf};

/// Where the image encoder of a weight file may be, from the file's folder: as in `h94/IP-Adapter`, whose SDXL variants with
/// `vit-h` in their names use that of Stable Diffusion 1.
const PLACES: [&str; 3] = ["image_encoder", "../image_encoder", "../models/image_encoder"];

/// The weights of an IP-Adapter.
pub struct IpAdapterFile {
    file: PathBuf,
    header: Header,
    shape: IpAdapterShape,
}

/// The folder of an image encoder: CLIP's vision tower with its projection, in transformers' layout.
pub struct ImageEncoderFolder(PathBuf);

impl IpAdapterFile {
    /// Reads the header of a `.safetensors` file.
    ///
    /// # Errors
    ///
    /// [`ModelError::IpAdapter`] if it is something else, or a kind that is not supported.
    pub fn open(path: &Path) -> Result<IpAdapterFile, ModelError> {
        refuse_pickle(path)?;
        let (content, file) = (map_file(path)?, path.display().to_string());
        let header =
            Header::read(&content).map_err(|reason| ModelError::Weights { file: file.clone(), reason })?;
        match IpAdapterShape::read(&header) {
            Ok(shape) => Ok(IpAdapterFile { file: path.to_owned(), header, shape }),
            Err(reason) => Err(ModelError::IpAdapter { file, reason }),
        }
    }

    /// The image encoder near the weights that has the width which they take.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoImageEncoder`] if there is none.
    pub fn encoder(&self) -> Result<ImageEncoderFolder, ModelError> {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let places = PLACES.map(|place| folder.join(place));
        let fits = |place: &&PathBuf| {
            let folder = ImageEncoderFolder((*place).clone());
            folder.outputs().is_ok_and(|outputs| outputs.contains(&self.shape.input))
        };
        match places.iter().find(fits) {
            Some(place) => Ok(ImageEncoderFolder(place.clone())),
            None => Err(ModelError::NoImageEncoder {
                file: self.file.display().to_string(),
                input: self.shape.input.to_string(),
                places: places.map(|place| place.display().to_string()).join(", "),
            }),
        }
    }

    /// Loads it.
    pub(crate) fn load(&self, options: &LoadOptions) -> Result<IpAdapter, ModelError> {
        let config = "the configuration inferred from its shapes";
        let weights = WeightFile::open_file(&self.file, Part::Plain, config, options)?;
        let adapter = IpAdapter::load(self.shape.clone(), &self.header, &weights.root())?;
        weights.all_used(|_| false)?;
        Ok(adapter)
    }

    /// Which output of the image encoder it takes.
    pub(crate) fn input(&self) -> ImageInput {
        self.shape.input
    }
}

impl ImageEncoderFolder {
    /// The folder at a path, or the one near the IP-Adapter at that path.
    pub fn at(path: &Path) -> Result<ImageEncoderFolder, ModelError> {
        match path.is_dir() {
            true => Ok(ImageEncoderFolder(path.to_owned())),
            false => IpAdapterFile::open(path)?.encoder(),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The files that its [`digest`](ImageEncoderFolder::digest) is computed from.
    pub fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        let weights = part_folder::weights_in(&self.0, STEM)?;
        Ok([vec![self.0.join(CONFIG)], weights].concat())
    }

    /// The digest of its configuration and weights, which are checked to be those of an image encoder.
    pub fn digest(&self) -> Result<Digest, ModelError> {
        self.outputs()?;
        part_folder::digest(&self.0, STEM)
    }

    /// What it computes.
    pub(crate) fn outputs(&self) -> Result<[ImageInput; 2], ModelError> {
        ImageEncoder::outputs(&self.config()?)
    }

    pub(crate) fn load(&self, options: &LoadOptions) -> Result<ImageEncoder, ModelError> {
        let config = self.config()?;
        let source = ModelSource::Folder(self.0.clone());
        let weights = WeightFile::open(&source, STEM, config.file(), options)?;
        ImageEncoder::load(&config, &weights.root(), options)
    }

    fn config(&self) -> Result<ConfigFile, ModelError> {
        ConfigFile::open(&ModelSource::Folder(self.0.clone()), CONFIG)
    }
}

const STEM: &str = "model";
