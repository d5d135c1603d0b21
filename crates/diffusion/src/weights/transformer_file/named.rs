//! The shapes of a file's tensors, looked up by the names that diffusers and transformers give them.

use crate::weights::header::Header;
use crate::weights::original_names::Rows;
use crate::weights::single_file::{Part, Place};

/// The tensors of one part in a file.
pub(super) struct Named<'a> {
    pub header: &'a Header,
    /// Their naming, if it is not that of diffusers or transformers.
    pub part: Option<&'a Part>,
}

impl Named<'_> {
    /// The length of an axis of a tensor; 0 if there is none.
    pub fn length(&self, name: &str, axis: usize) -> usize {
        let place = self.place(name);
        let stored = place.keys.iter().find_map(|key| self.header.length(key, axis)).unwrap_or(0);
        // No tensor with values has as many; products of small numbers with it do not overflow.
        let stored = stored.min(u32::MAX as usize);
        match place.rows {
            Rows::Part { all, .. } if axis == 0 => 4 * stored / all,
            _ => stored,
        }
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.place(name).keys.iter().any(|key| self.header.contains_key(key))
    }

    /// How many blocks there are, where `name` is that of a tensor which every block has.
    pub fn blocks(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&block| self.has(&name(block))).count()
    }

    /// A number that the header states; `default` if it does not.
    pub fn stated(&self, key: &str, default: f64) -> f64 {
        self.header.metadata.get(key).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    fn place(&self, name: &str) -> Place {
        self.part.map_or_else(|| Place::same(name), |part| part.place(name))
    }
}
