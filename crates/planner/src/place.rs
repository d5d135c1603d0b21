//! Source locations: a file or a command-line option, and a range of its text.

use miette::NamedSource;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A source text: an experiment file, a list of values, an option of the command line.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Its name and text, for error messages.
    pub code: NamedSource<String>,
    /// The folder that its paths are relative to.
    pub folder: PathBuf,
    /// The path of `folder` relative to the experiment file's folder; empty if they are the same.
    pub prefix: String,
    /// Its precedence: 0 for the experiment file, negative for the files that it extends, positive for the command line.
    pub layer: i32,
}

/// A range of an origin's text.
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

    /// A path written here, relative to the experiment file's folder: with forward slashes, otherwise as written where
    /// possible.
    pub fn rebase(&self, written: &str) -> String {
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

    /// The text at this place.
    pub fn text(&self) -> &str {
        self.origin.text().get(self.span.clone()).unwrap_or("")
    }

    /// The place of a part of `value`, which is the value of the text at this place.
    ///
    /// If `value` is not found in the text because of quotes or escapes, it is the whole place.
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
