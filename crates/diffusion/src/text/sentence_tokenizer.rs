//! Prompts to token ids for T5: SentencePiece's tokens, an end token, padding up to a fixed length.
//!
//! Reads `tokenizer.json`. Not here: CLIP's tokenizer (`tokenizer.rs`).

use crate::error::ModelError;
use crate::text::cut::{Cut, text_from};
use crate::text::tokenizer_files;
use crate::weights::source::ModelSource;
use serde_json::{Map, Value};

/// T5's end token and padding.
const END: &str = "</s>";
const PAD: &str = "<pad>";

/// The tokenizer of a T5 encoder.
pub(crate) struct SentenceTokenizer {
    inner: tokenizers::Tokenizer,
    file: String,
    end: u32,
    pad: u32,
    length: usize,
}

impl SentenceTokenizer {
    /// Reads the tokenizer from one of a model's folders. `words` is the text encoder's vocabulary size, `length` the number
    /// of ids.
    pub fn load(
        source: &ModelSource,
        folder: &str,
        words: usize,
        length: usize,
    ) -> Result<SentenceTokenizer, ModelError> {
        let none = |_: &Map<String, Value>, _: &str| Err("T5 needs a tokenizer.json".to_owned());
        let (inner, file) = tokenizer_files::open(source, folder, &none)?;
        let fail = |reason: String| ModelError::Tokenizer { file: file.clone(), reason };
        let id = |token: &str| match inner.token_to_id(token) {
            Some(id) if (id as usize) < words => Ok(id),
            _ => Err(fail(format!(
                "it has no token `{token}` in the text encoder's vocabulary of {words} words"
            ))),
        };
        let (end, pad) = (id(END)?, id(PAD)?);
        Ok(SentenceTokenizer { inner, file, end, pad, length })
    }

    /// What does not fit of a prompt.
    pub fn cut(&self, prompt: &str) -> Result<Option<Cut>, ModelError> {
        let encoding = self.tokens(prompt)?;
        let room = self.length - 1;
        let Some(&(start, _)) = encoding.get_offsets().get(room) else { return Ok(None) };
        let tokens = encoding.get_ids().len();
        Ok(Some(Cut { tokens, room, length: self.length, text: text_from(prompt, start), by: Some("T5") }))
    }

    fn tokens(&self, prompt: &str) -> Result<tokenizers::Encoding, ModelError> {
        let fail = |reason| ModelError::Tokenizer { file: self.file.clone(), reason };
        self.inner.encode(prompt, false).map_err(|error| fail(error.to_string()))
    }

    /// The ids of a prompt, always as many; what does not fit is cut off.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.encode_without_padding(prompt)?;
        ids.resize(self.length, self.pad);
        Ok(ids)
    }

    /// The ids of a prompt with one of padding, if it fits, and how many are before it.
    pub fn encode_with_one_pad(&self, prompt: &str) -> Result<(Vec<u32>, usize), ModelError> {
        let mut ids = self.encode_without_padding(prompt)?;
        let count = ids.len();
        ids.resize((count + 1).min(self.length), self.pad);
        Ok((ids, count))
    }

    /// The ids of a prompt, without padding.
    pub fn encode_without_padding(&self, prompt: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.tokens(prompt)?;
        let mut ids: Vec<u32> = encoding.get_ids().iter().copied().take(self.length - 1).collect();
        ids.push(self.end);
        Ok(ids)
    }
}
