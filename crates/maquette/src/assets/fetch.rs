//! Models from the hub: the size of a download, and the download.

use crate::error::Error;
use bytesize::ByteSize;
use maquette_hub::{DownloadProgress, Environment, Hub, HubError, Offer};
use std::path::PathBuf;
use std::time::Duration;

/// The wait before the first retry of a request; it doubles with each retry.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// The events of a download.
#[derive(Debug, Clone, Copy)]
pub enum FetchEvent<'a> {
    /// A download begins.
    Started(&'a Offer),
    /// Data arrived.
    Progress(DownloadProgress<'a>),
    /// It is complete.
    Finished,
}

/// The hub named by the environment.
pub(crate) fn hub(environment: &Environment) -> Result<Hub, HubError> {
    Hub::new(environment, RETRY_WAIT)
}

/// Downloads the missing files of an offer and returns the model's folder.
pub(crate) fn fetch(
    hub: &Hub,
    offer: &Offer,
    report: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<PathBuf, Error> {
    report(FetchEvent::Started(offer));
    let folder = hub.fetch(offer, &mut |progress| report(FetchEvent::Progress(progress)));
    report(FetchEvent::Finished);
    Ok(folder?)
}

/// What is missing of a model, such as `3 files, 2.1 GiB`.
pub fn missing_text(offer: &Offer) -> String {
    let files = offer.files.iter().filter(|file| !file.here).count();
    let known = offer.files.iter().all(|file| file.here || file.size.is_some());
    let least = if known { "" } else { "at least " };
    let noun = if files == 1 { "file" } else { "files" };
    format!("{files} {noun}, {least}{}", ByteSize::b(offer.bytes_to_come()).display().iec())
}
