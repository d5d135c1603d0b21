//! The words that a LoRA was trained with, as its header states them.

use crate::weights::content::map_file;
use crate::weights::header::Header;
use std::path::Path;

/// The words or phrases that bring out what a LoRA was trained on (`modelspec.trigger_phrase`, separated by commas); empty
/// if its header does not say, or cannot be read.
pub fn trigger_words(lora: &Path) -> Vec<String> {
    let header = map_file(lora).ok().and_then(|content| Header::read(&content).ok());
    let phrase = header.and_then(|mut header| header.metadata.remove("modelspec.trigger_phrase"));
    let words = phrase.iter().flat_map(|phrase| phrase.split(',')).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
