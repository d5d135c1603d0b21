//! How common a word is to a tokenizer, and words that mean nothing yet: what to call a subject.
//!
//! Byte-pair encodings list their tokens by how often they were merged, so a late token is a rare one. DreamBooth
//! (Ruiz et al., arXiv 2208.12242, section 3.1) names subjects by rare tokens for the same reason.

use crate::error::ModelError;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;

/// The end of a token that ends a word.
const END: &str = "</w>";

impl Tokenizer {
    /// How many tokens a text has.
    pub fn count(&self, text: &str) -> Result<usize, ModelError> {
        Ok(self.words(text, &Inversions::default())?.iter().map(|word| word.ids.len()).sum())
    }

    /// How rare a word is: the place of its token in the vocabulary, from 0 for the most common to 1; `None` if it is not a
    /// single token.
    pub fn rarity(&self, word: &str) -> Option<f64> {
        let id = self.token_id(&format!("{}{END}", word.to_lowercase()))?;
        Some(f64::from(id) / self.vocabulary_size() as f64)
    }

    /// A word of one rare token without a vowel, which means nothing in most languages; `None` if there is none.
    pub fn rare_word(&self) -> Option<String> {
        let is_rare = |token: &String| {
            let word = token.strip_suffix(END).unwrap_or_default();
            (3..=4).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() && !b"aeiouy".contains(&byte))
        };
        let ids = (0..self.vocabulary_size() as u32).rev();
        let token = ids.filter_map(|id| self.token(id)).find(is_rare)?;
        token.strip_suffix(END).map(str::to_owned)
    }
}
