//! A simulated store: it holds keys and counts requests.

use maquette_share::{Chunks, Objects};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;

/// The most keys of one answer to a listing, as in S3.
const PAGE: usize = 1_000;

/// A store that all workers of a simulation share.
pub struct Store {
    chunks: Chunks,
    keys: RefCell<BTreeSet<String>>,
    /// Which cells have a row, and which a picture.
    rows: RefCell<Vec<bool>>,
    pictures: RefCell<Vec<bool>>,
    pub requests: Cell<usize>,
    pub conflicts: Cell<usize>,
    pub taken_over: Cell<usize>,
}

impl Store {
    pub fn new(chunks: Chunks, cells: usize) -> Store {
        Store {
            chunks,
            keys: RefCell::default(),
            rows: RefCell::new(vec![false; cells]),
            pictures: RefCell::new(vec![false; cells]),
            requests: Cell::new(0),
            conflicts: Cell::new(0),
            taken_over: Cell::new(0),
        }
    }

    /// Asks whether a cell has a picture.
    pub fn has_picture(&self, cell: usize) -> bool {
        self.count(1);
        self.pictures.borrow()[cell]
    }

    /// Creates the picture of a cell; false if there is one.
    pub fn create_picture(&self, cell: usize) -> bool {
        self.count(1);
        !std::mem::replace(&mut self.pictures.borrow_mut()[cell], true)
    }

    /// Creates the row of a cell; false if there is one.
    pub fn create_row(&self, cell: usize) -> bool {
        self.count(1);
        !std::mem::replace(&mut self.rows.borrow_mut()[cell], true)
    }

    /// The cells of a chunk.
    pub fn cells(&self, chunk: u32) -> std::ops::Range<usize> {
        self.chunks.cells(chunk)
    }

    /// How many cells have a row.
    pub fn rows(&self) -> usize {
        self.rows.borrow().iter().filter(|row| **row).count()
    }

    fn count(&self, requests: usize) {
        self.requests.set(self.requests.get() + requests);
    }
}

impl Objects for &Store {
    type Error = Infallible;

    fn create(&self, key: &str, _: &[u8]) -> Result<bool, Infallible> {
        self.count(1);
        let created = self.keys.borrow_mut().insert(key.to_owned());
        if !created && !key.ends_with(".ended") {
            self.conflicts.set(self.conflicts.get() + 1);
        }
        Ok(created)
    }

    fn exists(&self, key: &str) -> Result<bool, Infallible> {
        self.count(1);
        Ok(self.keys.borrow().contains(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Infallible> {
        if let Some(chunk) = prefix.strip_prefix("rows/").and_then(|rest| rest.split('/').nth(1)) {
            self.count(1);
            self.taken_over.set(self.taken_over.get() + 1);
            let rows = self.rows.borrow();
            let cells = self.chunks.cells(chunk.parse().unwrap()).filter(|cell| rows[*cell]);
            return Ok(cells.map(|cell| format!("{cell}.csv")).collect());
        }
        let keys = self.keys.borrow();
        let below = keys.range(prefix.to_owned()..).map_while(|key| key.strip_prefix(prefix));
        let names: Vec<String> = below.map(str::to_owned).collect();
        self.count(names.len().div_ceil(PAGE).max(1));
        Ok(names)
    }
}
