//! `maquette models`: lists the models that are bundled or in the hub's cache. `maquette models fetch`: downloads one.

use super::workspace;
use crate::args::{Common, FetchArgs};
use crate::exit::Outcome;
use crate::output::{self, message};
use crate::progress::Download;
use bytesize::ByteSize;
use maquette::{Error, ModelEntry, ModelPlace, Repository};

/// The list.
pub fn models(common: &Common) -> Outcome {
    let rows = workspace(common)?.models().into_iter().map(row);
    output::print(&output::table(&["model", "size", "pixels", "fingerprint", ""], rows))
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
