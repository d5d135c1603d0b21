//! The fields of a row in little memory: a log of 100,000 cells has some ten million of them, most of them short.

use std::fmt;

/// The fields of a row: their text in one piece, and where each of them ends.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Fields {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Fields {
    /// Fields whose text is `text`, each up to one of `ends`, which are ascending places between characters.
    pub fn new(text: &str, ends: &[u32]) -> Fields {
        Fields { text: text.into(), ends: ends.into() }
    }

    /// The field with that number.
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl<'a> FromIterator<&'a str> for Fields {
    fn from_iter<I: IntoIterator<Item = &'a str>>(fields: I) -> Fields {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for field in fields {
            text.push_str(field);
            // Rows are shorter than the limit of a log.
            ends.push(text.len() as u32);
        }
        Fields::new(&text, &ends)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
