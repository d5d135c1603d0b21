//! The chain of files that `extends` forms, read from the experiment file down to the one that extends nothing.

use crate::layer::Layer;
use crate::place::{At, Origin, folder_of};
use crate::problem::{PlanError, Problem, Problems};
use crate::tree::Node;
use crate::{text_file, tree};
use maquette_files::limits;
use std::path::{Path, PathBuf};

/// The most files of a chain: each is there to be read by people.
const MOST_FILES: usize = 32;

/// The files of an experiment.
pub(crate) struct Chain {
    /// Their contents; the most distant ancestor comes first, the experiment file last.
    pub layers: Vec<Layer>,
    /// The folder that paths are relative to: the experiment file's own unless it names another.
    pub folder: PathBuf,
}

/// Reads the experiment file, unless its text is given, and all files that it extends.
pub(crate) fn read_chain(file: &Path, mut text: Option<&str>) -> Result<Chain, PlanError> {
    let mut layers = Vec::new();
    let mut start = None;
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut next = Some((file.to_owned(), file.to_string_lossy().replace('\\', "/"), String::new(), None));
    let mut depth = 0;
    while let Some((path, name, prefix, from)) = next.take() {
        let text = match text.take() {
            Some(text) => text.to_owned(),
            None => read(&path, &name, from.as_ref())?,
        };
        let identity = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.contains(&identity) {
            let message = format!("`extends` forms a cycle: {name} is already in the chain");
            return Err(place(from.as_ref().map(|node| &node.at), message).label("closes the cycle").into());
        }
        if seen.len() == MOST_FILES {
            let message = format!("the chain of `extends` has more than {MOST_FILES} files");
            return Err(place(from.as_ref().map(|node| &node.at), message).into());
        }
        seen.push(identity);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let (origin, entries) = tree::parse(Origin::new(&name, text, &folder, &prefix, depth))?;
        let start = start.get_or_insert_with(|| origin.folder.clone());
        let mut problems = Problems::default();
        let layer = Layer::read(entries, &mut problems);
        problems.settle()?;
        if let Some(node) = &layer.extends
            && let Some(written) = node.text()
        {
            let path = origin.rebase(written);
            let name = start.join(&path).to_string_lossy().replace('\\', "/");
            next = Some((origin.folder.join(written), name, folder_of(&path).to_owned(), Some(node.clone())));
        }
        layers.push(layer);
        depth -= 1;
    }
    layers.reverse();
    Ok(Chain { layers, folder: start.unwrap_or_default() })
}

/// Reads a file that `from` names, or the command line if that is `None`.
fn read(path: &Path, name: &str, from: Option<&Node>) -> Result<String, Problem> {
    text_file::read(path, from.and_then(Node::text).unwrap_or(name), limits::EXPERIMENT).map_err(
        |unreadable| {
            let picture = "allowed: a TOML file in UTF-8; `maquette show --toml` writes one from a picture";
            place(
                from.map(|node| &node.at),
                format!("cannot read the experiment file {name}: {}", unreadable.reason),
            )
            .help(if unreadable.picture { picture } else { "allowed: a TOML file in UTF-8" })
            .help_if(unreadable.help)
        },
    )
}

fn place(from: Option<&At>, message: String) -> Problem {
    match from {
        Some(at) => Problem::at(at, message),
        None => Problem::without_place(message),
    }
}
