//! What a training needs besides its settings: the model's files, decoded pictures, a device, a saved state.

use crate::error::TrainError;
use maquette_core::{Image, Training, TrainingMethod};
use maquette_diffusion::{DeviceName, ModelSource};
use std::collections::BTreeSet;

/// A training with everything that it reads.
pub struct TrainJob<'a> {
    /// The settings.
    pub training: &'a Training,
    /// The model's files.
    pub source: &'a ModelSource,
    /// Where it is computed, in f32.
    pub device: DeviceName,
    /// The pictures of the subject, in the order of [`Training::images`].
    pub pictures: Vec<Picture>,
    /// The pictures of the class, for prior preservation.
    pub class_pictures: Vec<Image>,
    /// The steps after which there is a checkpoint; there is always one after the last.
    pub checkpoints: BTreeSet<u32>,
    /// The state of an earlier [checkpoint](crate::TrainEvent::Checkpoint) of the same training, from which it goes on; the result
    /// is the same to the bit as without the interruption.
    pub state: Option<&'a [u8]>,
}

/// A picture of the subject.
pub struct Picture {
    /// The picture.
    pub image: Image,
    /// What the loss counts, of any size with the picture's aspect ratio: white fully, black not at all.
    pub mask: Option<Image>,
}

impl TrainJob<'_> {
    /// Refuses settings that no training can have.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let Training { subject, images, rank, num_vectors, batch_size, method, .. } = self.training;
        if images.is_empty() {
            return Err(TrainError::NoPictures { subject: subject.clone() });
        }
        if images.len() != self.pictures.len() {
            return Err(TrainError::Pictures { expected: images.len(), found: self.pictures.len() });
        }
        if self.training.has_prior() && self.class_pictures.is_empty() {
            return Err(TrainError::NoClassPictures);
        }
        let check = |name, value: u32, most: u32| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(TrainError::Setting {
                name,
                value: value.to_string(),
                allowed: if most == u32::MAX { "at least 1".to_owned() } else { format!("1 to {most}") },
            }),
        };
        check("batch_size", *batch_size, u32::MAX)?;
        match method {
            TrainingMethod::Lora => check("rank", *rank, 1024),
            TrainingMethod::TextualInversion => check("num_vectors", *num_vectors, 8),
            TrainingMethod::Dreambooth => Ok(()),
        }
    }
}
