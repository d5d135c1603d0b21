//! Where something is written: a file or a command-line option, and a stretch of its text.

use miette::NamedSource;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One text that says something: an experiment file, a list of values, an option of the command line.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Its name and its text, as error messages show them.
    pub code: NamedSource<String>,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
    /// How to reach `folder` from the folder of the experiment file; empty when it is the same one.
    pub prefix: String,
    /// Who overrides whom: 0 is the experiment file, what it extends lies below, the command line above.
    pub layer: i32,
}

/// A stretch of an origin's text.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub origin: Arc<Origin>,
    pub span: Range<usize>,
}

impl Origin {
    pub fn new(name: &str, text: String, folder: &Path, prefix: &str, layer: i32) -> Origin {
        Origin {
            code: NamedSource::new(name, text),
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            layer,
        }
    }

    pub fn name(&self) -> &str {
        self.code.name()
    }

    pub fn text(&self) -> &str {
        self.code.inner()
    }

    /// A path written here, as it looks from the experiment file: forward slashes, and as written where possible.
    pub fn seen(&self, written: &str) -> String {
        let written = written.replace('\\', "/");
        let absolute = Path::new(&written).is_absolute();
        if absolute || self.prefix.is_empty() { written } else { format!("{}/{written}", self.prefix) }
    }
}

impl At {
    pub fn whole(origin: &Arc<Origin>) -> At {
        At { origin: Arc::clone(origin), span: 0..origin.text().len() }
    }

    pub fn layer(&self) -> i32 {
        self.origin.layer
    }

    /// What stands there.
    pub fn text(&self) -> &str {
        self.origin.text().get(self.span.clone()).unwrap_or("")
    }

    /// A stretch of `value`, which is what the text at this place means, as a place of its own.
    ///
    /// Where quotes or escapes make the two differ too much, it is the whole place.
    pub fn within(&self, value: &str, part: Range<usize>) -> At {
        match self.text().find(value) {
            Some(start) if !value.is_empty() => {
                let start = self.span.start + start;
                At { origin: Arc::clone(&self.origin), span: start + part.start..start + part.end }
            }
            _ => self.clone(),
        }
    }
}

/// The folder part of a path as written, with forward slashes; empty for none.
pub(crate) fn folder_of(written: &str) -> &str {
    written.rsplit_once('/').map_or("", |(folder, _)| folder)
}
