//! What a plan must know of the world: the models and pictures that the settings name.

use crate::{Digest, Scheduler};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a model says of itself before it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// BLAKE3 over the content of every file that the engine would load.
    pub fingerprint: Digest,
    /// The size it was trained at, in pixels: the default of `width` and `height`.
    pub size: (u32, u32),
    /// Width and height must be multiples of this many pixels.
    pub multiple_of: u32,
    /// The scheduler its own configuration names.
    #[serde(with = "scheduler_word")]
    pub scheduler: Scheduler,
}

/// A picture that some setting names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Where to read it.
    pub file: PathBuf,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
}

mod scheduler_word {
    use crate::Scheduler;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(scheduler: &Scheduler, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(scheduler.word())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Scheduler, D::Error> {
        let word = String::deserialize(from)?;
        Scheduler::from_word(&word)
            .ok_or_else(|| D::Error::custom(format!("no scheduler is called `{word}`")))
    }
}
