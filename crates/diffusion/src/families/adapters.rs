//! Adapters of a loaded model: LoRAs for its layers, textual inversions for its vocabulary.

use crate::cache::Cache;
use crate::text::encode::Adapted;
use crate::text::encoder::TextEncoder;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use crate::weights::lora::targets::{Layers, Targets};
use crate::weights::lora::{self, LoraError, LoraMemory, Loras};
use crate::weights::textual_inversion::{Inversion, InversionError};
use maquette_core::{Dialect, Digest, Embedding, Lora, NamedFile};
use std::path::Path;
use std::sync::Arc;

/// How many textual inversions are cached; each is a few kilobytes.
const INVERSIONS: usize = 64;

/// Identifies a textual inversion: content, file, word, and the dialect, on which its own word depends.
type InversionKey = (Digest, Arc<Path>, Option<Arc<str>>, Dialect);

/// The LoRAs and textual inversions of a loaded model.
pub(super) struct Adapters {
    /// The layers of text encoders and UNet.
    targets: Targets,
    loras: Loras,
    inversions: Cache<InversionKey, Arc<Inversion>>,
}

impl Adapters {
    pub fn new(targets: Targets) -> Adapters {
        Adapters { targets, loras: Loras::new(), inversions: Cache::new(INVERSIONS) }
    }

    /// The layers that LoRA can change.
    pub fn layers(&self) -> &Layers {
        &self.targets.layers
    }

    /// Makes the layers compute with these LoRAs and no others; an empty list restores the model.
    ///
    /// The model is not reloaded. After an error it computes without LoRAs.
    pub fn set_loras(&mut self, loras: &[Lora]) -> Result<(), LoraError> {
        self.loras.apply(&self.targets, loras)
    }

    /// The words of textual inversions, also of those in the current LoRAs, for the tokenizer, with their vectors, for the text encoders in order.
    pub fn inversions(
        &mut self,
        embeddings: &[Embedding],
        dialect: Dialect,
        tokenizer: &Tokenizer,
        encoders: &[&TextEncoder],
    ) -> Result<Inversions, InversionError> {
        let widths: Vec<usize> = encoders.iter().map(|encoder| encoder.width()).collect();
        let mut list = Vec::new();
        for embedding in embeddings {
            let Embedding { word, file: NamedFile { file, digest, .. } } = embedding;
            let key = (*digest, Arc::clone(file), word.clone(), dialect);
            let open = || Inversion::open(embedding, &widths, dialect).map(Arc::new);
            list.push(self.inversions.get_or_try(&key, open)?);
        }
        list.extend(self.loras.inversions(&widths)?);
        let mut inversions = Inversions::new(list, |word| tokenizer.has_token(word))?;
        for encoder in encoders {
            inversions.add_vectors(|vectors| encoder.as_words(vectors))?;
        }
        Ok(inversions)
    }

    /// The current LoRAs that change text encoders.
    pub fn loras_of_text(&self) -> lora::Key {
        self.loras.of_text().clone()
    }

    /// The memory that LoRAs take.
    pub fn memory(&self, loras: &[Lora]) -> LoraMemory {
        lora::memory(&self.targets, loras)
    }

    /// The adapters on which the embeddings of a prompt currently depend.
    pub fn key(&self, inversions: &Inversions) -> Adapted {
        Adapted { loras: self.loras_of_text(), inversions: inversions.key() }
    }
}
