//! The files with the weights of one part of a model, in which a tensor is looked up by diffusers' name.
//!
//! Not here: the names in other layouts (`single_file/names.rs`); reading the values.

use crate::error::ModelError;
use crate::weights::content::Content;
use crate::weights::float8;
use crate::weights::found::Found;
use crate::weights::header::{Header, Stored};
use crate::weights::original_names::Rows;
use crate::weights::single_file::{Part, Place};
use candle_core::DType;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A file, or several shards.
pub(super) struct Shards {
    shards: Vec<Shard>,
    /// The naming of its tensors, if it is not diffusers'.
    part: Option<Part>,
    /// The tensors that were read.
    used: RefCell<BTreeSet<String>>,
}

/// One file.
struct Shard {
    file: String,
    content: Arc<Content>,
    header: Header,
}

impl Shards {
    /// Reads the headers of files, each with its name in messages.
    pub fn read(
        files: impl Iterator<Item = Result<(Content, String), ModelError>>,
        part: Option<Part>,
    ) -> Result<Shards, ModelError> {
        let read = |opened: Result<(Content, String), ModelError>| {
            let (content, file) = opened?;
            match Header::read(&content) {
                Ok(header) => Ok(Shard { file, content: Arc::new(content), header }),
                Err(reason) => Err(ModelError::Weights { file, reason }),
            }
        };
        let shards = files.map(read).collect::<Result<_, _>>()?;
        Ok(Shards { shards, part, used: RefCell::default() })
    }

    /// Looks up a tensor by diffusers' name; the error is its name in this file.
    pub fn find(&self, name: &str) -> Result<Found, String> {
        let place = match &self.part {
            Some(part) => part.place(name),
            None => Place::same(name),
        };
        // Of a tensor in several shards, diffusers uses the last one.
        let shards = self.shards.iter().rev();
        let found = place
            .keys
            .iter()
            .find_map(|key| shards.clone().find_map(|shard| Some((key, shard, shard.header.get(key)?))));
        let Some((key, shard, entry)) = found else {
            return Err(place.keys.into_iter().next_back().unwrap_or_default());
        };
        let (mut bytes, mut shape) = (entry.bytes.clone(), entry.shape.clone());
        if let Rows::Part { before, all } = place.rows
            && let Some(part) = rows(&mut shape, &bytes, before, all)
        {
            bytes = part;
        }
        if place.transposed {
            shape.reverse();
        }
        let scale = scale(shard, key).map(|(name, scale)| {
            self.mark_used(&name);
            scale
        });
        Ok(Found {
            file: shard.file.clone(),
            key: key.clone(),
            content: Arc::clone(&shard.content),
            stored: entry.stored,
            bytes,
            scale: scale.filter(|_| matches!(entry.stored, Stored::Float8(_))),
            shape,
            transposed: place.transposed,
            is_swapped: place.rows == Rows::Swapped,
        })
    }

    /// Notes that a tensor was read, by its name in the file.
    pub fn mark_used(&self, key: &str) {
        self.used.borrow_mut().insert(key.to_owned());
    }

    /// The first tensor that was not read, except those that `is_spare` accepts by diffusers' name: its file, its name there,
    /// and how many more there are.
    pub fn unused(&self, is_spare: impl Fn(&str) -> bool) -> Option<(String, String, usize)> {
        let used = self.used.borrow();
        let is_spare = |key: &str| {
            let is_spare_in_part = match &self.part {
                Some(part) => part.is_spare(key, &is_spare),
                None => is_spare(key),
            };
            is_spare_in_part || float8::is_mark(key)
        };
        let unused = |shard: &'_ Shard| {
            // Tensors of other types, such as old text encoders' position_ids, are not weights.
            let weights = shard.header.iter().filter(|(_, entry)| entry.stored.unsupported().is_none());
            let keys = weights.map(|(key, _)| key).filter(|key| !used.contains(*key) && !is_spare(key));
            keys.map(|key| (shard.file.clone(), key.clone())).collect::<Vec<_>>()
        };
        let mut unused = self.shards.iter().flat_map(unused);
        let (file, key) = unused.next()?;
        Some((file, key, unused.count()))
    }
}

/// The bytes of a module's rows in a tensor of several modules, whose shape becomes that of the module; see [`Rows::Part`].
/// `None` if the tensor cannot be divided.
fn rows(shape: &mut [usize], bytes: &Range<usize>, before: usize, all: usize) -> Option<Range<usize>> {
    let stored = shape.first_mut()?;
    let quarters = stored.checked_mul(4).filter(|quarters| quarters.is_multiple_of(all))?;
    let rows = quarters / all;
    let (first, length) = (before * rows / 4, bytes.len().checked_div(*stored)?);
    *stored = rows;
    let start = bytes.start + first * length;
    Some(start..start + rows * length)
}

/// What 8-bit floats are multiplied by: one number in f32 beside a `weight`.
fn scale(shard: &Shard, key: &str) -> Option<(String, f32)> {
    let stem = key.strip_suffix("weight")?;
    float8::SCALES.iter().find_map(|scale| {
        let name = format!("{stem}{scale}");
        let entry = shard.header.get(&name).filter(|entry| entry.stored == Stored::Float(DType::F32))?;
        let bytes = shard.content[entry.bytes.clone()].try_into().ok()?;
        Some((name, f32::from_le_bytes(bytes)))
    })
}
