//! Prompts to token ids for text encoders that are language models: the prompt is the message of a user in a chat, or the whole text.
//!
//! The chat's form is that of Qwen3's template, which its folders have as code in `chat_template`; the code is not run.
//! Not here: CLIP's tokenizer (`tokenizer.rs`).

use crate::error::ModelError;
use crate::text::cut::{Cut, text_from};
use crate::text::tokenizer_files::{self, add_tokens};
use crate::text::tokenizer_settings::Settings;
use crate::weights::source::ModelSource;
use maquette_tokenizer::qwen_tokenizer;

/// What precedes the prompt.
const BEFORE: &str = "<|im_start|>user\n";
/// What follows it: the assistant's turn begins.
const AFTER: &str = "<|im_end|>\n<|im_start|>assistant\n";

/// What fills prompts up.
const PAD: &str = "<|endoftext|>";

/// The tokenizer of a language model.
pub(crate) struct ChatTokenizer {
    inner: tokenizers::Tokenizer,
    file: String,
    /// The most ids of a prompt with its chat.
    length: usize,
    padding: u32,
}

/// A prompt as input of a language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChatTokens {
    /// At most as many as the pipeline allows, without padding.
    pub ids: Vec<u32>,
    /// What was truncated of the prompt.
    pub cut: Option<Cut>,
}

impl ChatTokenizer {
    /// Reads the tokenizer from one of a model's folders. `words` is the text encoder's vocabulary size, `length` the most ids.
    pub fn load(
        source: &ModelSource,
        folder: &str,
        words: usize,
        length: usize,
    ) -> Result<ChatTokenizer, ModelError> {
        let (mut inner, file) = tokenizer_files::open(source, folder, &qwen_tokenizer)?;
        let fail = |reason: String| ModelError::Tokenizer { file: file.clone(), reason };
        if !tokenizer_files::is_whole(source, folder) {
            add_tokens(&mut inner, &Settings::read(source, folder)?, &[]).map_err(fail)?;
        }
        for token in ["<|im_start|>", "<|im_end|>"] {
            if inner.token_to_id(token).is_none_or(|id| id as usize >= words) {
                return Err(fail(format!(
                    "it has no token `{token}` among the {words} words of the text encoder's vocabulary"
                )));
            }
        }
        let padding = inner.token_to_id(PAD).unwrap_or(0);
        Ok(ChatTokenizer { inner, file, length, padding })
    }

    /// The ids of a prompt within its chat, cut off at the end if there are too many, as in diffusers. `before_answer` is
    /// what the assistant's turn begins with.
    pub fn encode(&self, prompt: &str, before_answer: &str) -> Result<ChatTokens, ModelError> {
        self.encode_between(BEFORE, prompt, &format!("{AFTER}{before_answer}"))
    }

    /// The ids of a prompt without a chat, cut off at the end in the same way.
    pub fn encode_plain(&self, prompt: &str) -> Result<ChatTokens, ModelError> {
        self.encode_between("", prompt, "")
    }

    /// The ids of a prompt between other texts, cut off at the end in the same way.
    pub fn encode_between(&self, before: &str, prompt: &str, after: &str) -> Result<ChatTokens, ModelError> {
        let encoding = self
            .inner
            .encode(format!("{before}{prompt}{after}"), false)
            .map_err(|error| ModelError::Tokenizer { file: self.file.clone(), reason: error.to_string() })?;
        let mut ids = encoding.get_ids().to_vec();
        let (length, offsets) = (self.length, encoding.get_offsets());
        let within = before.len()..before.len() + prompt.len();
        let count =
            |offsets: &[(usize, usize)]| offsets.iter().filter(|(start, _)| within.contains(start)).count();
        let cut = offsets.get(length).map(|(start, _)| Cut {
            tokens: count(offsets),
            room: count(&offsets[..length]),
            length,
            text: text_from(prompt, start.saturating_sub(before.len())),
            by: None,
        });
        ids.truncate(length);
        // Only the end of the chat may be cut off.
        Ok(ChatTokens { ids, cut: cut.filter(|cut| !cut.text.is_empty()) })
    }

    /// The id that fills prompts up.
    pub fn padding(&self) -> u32 {
        self.padding
    }
}
