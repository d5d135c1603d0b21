//! The part of a prompt that does not fit into a text encoder.

use crate::error::ModelError;

/// Words beyond a text encoder's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// How many tokens the prompt has.
    pub tokens: usize,
    /// How many of them fit.
    pub room: usize,
    /// The text encoder's length in tokens, with those around the prompt.
    pub length: usize,
    /// The text from the first word that does not fit.
    pub text: String,
    /// The text encoder, if the model has others that do not ignore the same words.
    pub by: Option<&'static str>,
}

/// Finds what a text encoder ignores of a text; `None` if it all fits.
pub(crate) type FindCut = Box<dyn Fn(&str) -> Result<Option<Cut>, ModelError>>;

impl Cut {
    /// A sentence about the prompt, without its subject and full stop.
    pub(crate) fn warning(&self) -> String {
        let Cut { length, text, by, .. } = self;
        match by {
            None => format!("is longer than {length} tokens; this part has no effect: `{text}`"),
            Some(encoder) => format!("is longer than {length} tokens; {encoder} ignores this part: `{text}`"),
        }
    }
}

/// A prompt from a byte on, or from the letter that the byte is in.
pub(crate) fn text_from(prompt: &str, start: usize) -> String {
    let mut start = start.min(prompt.len());
    while !prompt.is_char_boundary(start) {
        start -= 1;
    }
    prompt[start..].trim().to_owned()
}
