//! How many bytes the weights of a model's parts take, by the headers of their files.

use crate::weights::found::{Form, Found};
use std::cell::RefCell;

/// The weights of one part of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartSize {
    /// Its folder in diffusers' layout.
    pub part: String,
    /// The bytes that it takes in memory.
    pub memory: u64,
    /// The bytes that are left in its mapped file, with fewer bits for a value than memory would have.
    pub in_file: u64,
    /// Those of `memory` that can be read for each call instead.
    pub streamed: u64,
    /// The most of `streamed` that is in memory at once then: those of a block, or of a layer.
    pub block: u64,
}

/// Adds up the weights that a model looks up while it is loaded.
#[derive(Debug, Default)]
pub(crate) struct Tally(RefCell<Vec<PartSize>>);

impl Tally {
    /// Adds a tensor of a part. `may_stay`: it is left in its file if it has fewer bits there.
    pub fn count(&self, part: &str, found: &Found, form: &Form, may_stay: bool) {
        let values = found.shape.iter().product::<usize>() as u64;
        self.of(part, |size| match may_stay {
            true if found.stored.is_packed() => size.in_file += found.bytes.len() as u64,
            true => {
                let bytes = values * form.bytes_of_linear();
                size.memory += bytes;
                size.streamed += bytes;
                size.block = size.block.max(bytes);
            }
            false => {
                let each = form.kernels.storage_dtype(form.dtype).size_in_bytes();
                size.memory += values * each as u64;
            }
        });
    }

    /// Notes that weights of so many bytes are in memory together, of those that may stay in their file.
    pub fn block(&self, part: &str, bytes: u64) {
        self.of(part, |size| size.block = size.block.max(bytes));
    }

    fn of(&self, part: &str, add: impl FnOnce(&mut PartSize)) {
        let mut parts = self.0.borrow_mut();
        let at = parts.iter().position(|known| known.part == part).unwrap_or_else(|| {
            parts.push(PartSize { part: part.to_owned(), ..PartSize::default() });
            parts.len() - 1
        });
        add(&mut parts[at]);
    }

    /// The parts, in the order in which they were looked up.
    pub fn into_parts(self) -> Vec<PartSize> {
        self.0.into_inner()
    }
}
