//! The texts that a picture file contains.

/// The texts of one file.
#[derive(Debug, Default, PartialEq)]
pub struct Texts {
    /// Keyword and text, in the file's order within each kind of chunk.
    pub found: Vec<(String, String)>,
    /// What could not be read, each a sentence without a full stop.
    pub unreadable: Vec<String>,
}

impl Texts {
    /// The first text with this keyword.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.found.iter().find(|(known, _)| known == keyword).map(|(_, text)| text.as_str())
    }
}
