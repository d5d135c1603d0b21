//! `maquette models`: what is bundled and what is in the hub's cache. `maquette models fetch`: more of it.

use crate::args::{Common, FetchArgs};
use crate::exit::{Exit, OrExit};
use crate::fetching::{self, Shown};
use crate::models;
use crate::output::{self, Outcome, talk, with_causes};
use crate::planning;
use crate::world::card_of;
use maquette_diffusion::{DeviceName, ModelSource};
use maquette_hub::{Repository, Wanted};
use maquette_store::Runs;
use std::path::Path;

/// The list.
pub fn models(common: &Common) -> Outcome {
    let runs = planning::runs(&common.runs)?;
    let size: usize = maquette_sketchbook::FILES.iter().map(|(_, bytes)| bytes.len()).sum();
    let bundled = ModelSource::Bytes(maquette_sketchbook::FILES);
    let mut rows =
        vec![row(maquette_sketchbook::NAME, &bundled, size as u64, maquette_sketchbook::ABOUT, &runs)];
    for (repository, folder, whole) in models::all_cached() {
        let (name, size, about) = (repository.to_string(), bytes_in(&folder), folder.display().to_string());
        rows.push(match whole {
            true => row(&name, &ModelSource::Folder(folder), size, &about, &runs),
            false => {
                let about = format!("not whole; `maquette models fetch {name}` completes it");
                vec![name, output::bytes(size), String::new(), String::new(), about]
            }
        });
    }
    output::print(&output::table(&["model", "size", "pixels", "fingerprint", ""], rows))
}

/// Asks the hub for a repository, gets what is not here yet, and prints the folder.
pub fn fetch(args: &FetchArgs, common: &Common) -> Outcome {
    let shown = Shown { how: args.progress, quiet: common.quiet };
    let repository: Repository = args.model.parse().or_exit(Exit::NotFound)?;
    let dtype = args.dtype.unwrap_or_else(|| DeviceName::auto().dtype());
    let wanted = Wanted { dtype, safety_checker: args.safety_checker };
    let hub = fetching::hub().map_err(|error| fetching::failure(&error))?;
    let offer = hub.offer(&repository, &wanted).map_err(|error| fetching::failure(&error))?;
    if offer.is_here() && !common.quiet {
        talk(format_args!("{repository} is here already, as the hub has it"));
    }
    let folder = fetching::fetch(&hub, &offer, shown)?;
    output::print(&format!("{}\n", folder.display()))
}

fn row(name: &str, source: &ModelSource, bytes: u64, about: &str, runs: &Runs) -> Vec<String> {
    let size = output::bytes(bytes);
    match card_of(source, runs) {
        Ok(card) => {
            let pixels = format!("{}x{}", card.size.0, card.size.1);
            vec![name.to_owned(), size, pixels, card.fingerprint.short(), about.to_owned()]
        }
        Err(error) => vec![name.to_owned(), size, String::new(), String::new(), with_causes(&error)],
    }
}

/// The bytes of all files below a folder; links are followed, as the hub's cache is made of them.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    entries
        .flatten()
        .map(|entry| match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
