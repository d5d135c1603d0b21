//! The prompts of the pictures, encoded: once if nothing in the text encoders trains, otherwise in every step.

use crate::error::TrainError;
use crate::network::Network;
use maquette_diffusion::{EncodedPrompt, Inversions};
use std::collections::BTreeMap;

/// The encoded prompts of a training.
pub(crate) struct Prompts {
    known: BTreeMap<String, EncodedPrompt>,
    /// The word that trains, if one does.
    word: Inversions,
    trains: bool,
}

impl Prompts {
    /// `trains` says whether embeddings change from step to step.
    pub fn new(word: Inversions, trains: bool) -> Prompts {
        Prompts { known: BTreeMap::new(), word, trains }
    }

    /// Encodes the prompts of a step.
    pub fn encode(&mut self, network: &Network, prompts: &[&str]) -> Result<Vec<EncodedPrompt>, TrainError> {
        if self.trains {
            self.known.clear();
        }
        let mut encoded = Vec::new();
        for &prompt in prompts {
            if !self.known.contains_key(prompt) {
                self.known.insert(prompt.to_owned(), network.encode(prompt, &self.word)?);
            }
            encoded.push(self.known[prompt].clone());
        }
        Ok(encoded)
    }
}
