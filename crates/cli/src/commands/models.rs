//! `maquette models`: lists the models that are bundled or in the hub's cache, or those at some paths. `maquette models fetch`:
//! downloads one.

use super::workspace;
use crate::args::{Common, FetchArgs};
use crate::exit::Outcome;
use crate::output::{self, message};
use crate::progress::Download;
use bytesize::ByteSize;
use maquette::{Error, ModelEntry, ModelPlace, Repository};
use std::path::PathBuf;

/// The list.
pub fn models(paths: &[PathBuf], common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let mut found = if paths.is_empty() { workspace.models() } else { Vec::new() };
    for path in paths {
        found.extend(workspace.models_at(path)?);
    }
    if found.is_empty() && !common.quiet {
        message(format_args!("no models there"));
    }
    output::print(&output::table(&["model", "size", "pixels", "fingerprint", ""], found.into_iter().map(row)))
}

/// Downloads what is missing of a repository from the hub, and prints the folder.
pub fn fetch(args: &FetchArgs, common: &Common) -> Outcome {
    let repository: Repository = args.model.parse().map_err(Error::from)?;
    let mut download = Download::new(args.progress, common.quiet);
    let workspace = workspace(common)?;
    let fetched = workspace
        .fetch_model(&repository, args.dtype, args.safety_checker, &mut |event| download.show(event))?;
    if fetched.was_complete && !common.quiet {
        message(format_args!("{repository} is up to date"));
    }
    output::print(&output::paths([fetched.folder]))
}

fn row(ModelEntry { name, bytes, place, card }: ModelEntry) -> Vec<String> {
    let size = ByteSize::b(bytes).display().iec().to_string();
    let about = match place {
        ModelPlace::Bundled => maquette::BUNDLED_MODEL_ABOUT.to_owned(),
        ModelPlace::Cache(folder) => folder.display().to_string(),
        // The name is the path.
        ModelPlace::Path(_) => String::new(),
    };
    match card {
        Some(Ok(card)) => {
            let pixels = format!("{}x{}", card.size.0, card.size.1);
            vec![name, size, pixels, card.fingerprint.short(), about]
        }
        Some(Err(error)) => vec![name, size, String::new(), String::new(), error],
        None => {
            let about = format!("incomplete; `maquette models fetch {name}` downloads the rest");
            vec![name, size, String::new(), String::new(), about]
        }
    }
}
