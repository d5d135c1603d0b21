//! The texts that a picture file contains, within limits.

/// The most texts of one file: tools write up to five, cameras and photo editors some twenty.
const MOST_TEXTS: usize = 100;

/// The most bytes of all of them: two texts of the largest size that a packed one may have.
const MOST_BYTES: usize = 32 << 20;

const TOO_MANY: &str =
    "the picture has more than 100 texts, or more than 32 MiB of them; the others were not read";

/// The texts of one file.
#[derive(Debug, Default, PartialEq)]
pub struct Texts {
    /// Keyword and text, in the file's order within each kind of chunk.
    pub found: Vec<(String, String)>,
    /// What could not be read, each a sentence without a full stop.
    pub unreadable: Vec<String>,
}

impl Texts {
    /// Adds a text. Once the limits are reached, no more are added, which is noted once.
    pub(crate) fn add(&mut self, keyword: impl Into<String>, text: String) {
        let bytes: usize = self.found.iter().map(|(_, text)| text.len()).sum();
        if self.found.len() < MOST_TEXTS && bytes + text.len() <= MOST_BYTES {
            self.found.push((keyword.into(), text));
        } else if self.unreadable.last().is_none_or(|last| last != TOO_MANY) {
            self.problem(TOO_MANY.to_owned());
        }
    }

    /// Adds what could not be read, up to a limit.
    pub(crate) fn problem(&mut self, problem: String) {
        if self.unreadable.len() < MOST_TEXTS {
            self.unreadable.push(problem);
        }
    }

    /// Whether no more are added.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MOST_TEXTS || self.unreadable.len() >= MOST_TEXTS
    }

    /// The first text with this keyword.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.found.iter().find(|(known, _)| known == keyword).map(|(_, text)| text.as_str())
    }
}
