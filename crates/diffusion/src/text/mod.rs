//! From prompts to embeddings: the dialects, the tokenizer, the text encoders.

pub(crate) mod chat_tokenizer;
pub(crate) mod clip;
pub(crate) mod conditioning;
pub(crate) mod cut;
pub mod dialect;
pub(crate) mod embed;
pub(crate) mod encode;
pub(crate) mod encoded_prompt;
pub(crate) mod encoder;
pub(crate) mod error;
pub(crate) mod inversions;
pub(crate) mod prompt_report;
pub(crate) mod qwen;
mod rare_words;
pub(crate) mod sentence_tokenizer;
pub(crate) mod t5;
pub(crate) mod tokenizer;
pub(crate) mod tokenizer_files;
mod tokenizer_settings;
