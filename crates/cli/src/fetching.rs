//! From the hub into the cache: what a download is called before it begins, and the download.

use crate::args;
use crate::exit::{Exit, Failure};
use crate::output::{self, talk, with_causes};
use crate::progress::Download;
use maquette_hub::{Environment, Hub, HubError, Offer};
use std::path::PathBuf;
use std::time::Duration;

/// The wait before a second try; it doubles with every further.
const PATIENCE: Duration = Duration::from_millis(500);

/// How downloads are shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// In which form.
    pub how: args::Progress,
    /// Whether nothing is said.
    pub quiet: bool,
}

/// The hub that the environment names.
pub fn hub() -> Result<Hub, HubError> {
    Hub::new(&Environment::read(), PATIENCE)
}

/// Gets what an offer lacks, saying what comes and under which licence; gives the folder.
pub fn fetch(hub: &Hub, offer: &Offer, shown: Shown) -> Result<PathBuf, Failure> {
    if !offer.is_here() && !shown.quiet {
        talk(format_args!("getting {}: {}", offer.repository, to_come(offer)));
        match &offer.licence {
            Some(licence) => talk(format_args!("its licence is {licence}; the terms: {}", offer.page)),
            None => talk(format_args!("its authors name no licence; see {}", offer.page)),
        }
    }
    let mut display = Download::new(offer, shown.how, shown.quiet);
    let folder = hub.fetch(offer, &mut |progress| display.show(progress));
    display.close();
    folder.map_err(|error| failure(&error))
}

/// How much is still to come.
pub fn to_come(offer: &Offer) -> String {
    let files = offer.files.iter().filter(|file| !file.here).count();
    let known = offer.files.iter().all(|file| file.here || file.size.is_some());
    let least = if known { "" } else { "at least " };
    format!(
        "{files} {}, {least}{}",
        if files == 1 { "file" } else { "files" },
        output::bytes(offer.bytes_to_come())
    )
}

/// An error of the hub with its hint.
pub fn failure(error: &HubError) -> Failure {
    let help = error.hint().unwrap_or_default();
    Failure::message(Exit::NotFound, with_causes(error), help)
}
