//! Models from the hub: what a download would bring, and the download.

use crate::error::Error;
use bytesize::ByteSize;
use maquette_hub::{DownloadProgress, Environment, Hub, HubError, Offer};
use std::path::PathBuf;
use std::time::Duration;

/// The wait before the second try of a request; it doubles with each further try.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// What happens while a model is fetched.
#[derive(Debug, Clone, Copy)]
pub enum FetchEvent<'a> {
    /// A download begins.
    Started(&'a Offer),
    /// Something of it arrived.
    Progress(DownloadProgress<'a>),
    /// It is complete.
    Finished,
}

/// The hub that the environment names.
pub(crate) fn hub(environment: &Environment) -> Result<Hub, HubError> {
    Hub::new(environment, RETRY_WAIT)
}

/// Gets what an offer lacks; the model's folder.
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

/// How much is still to come, such as `3 files, 2.1 GiB`.
pub fn missing_text(offer: &Offer) -> String {
    let files = offer.files.iter().filter(|file| !file.here).count();
    let known = offer.files.iter().all(|file| file.here || file.size.is_some());
    let least = if known { "" } else { "at least " };
    let noun = if files == 1 { "file" } else { "files" };
    format!("{files} {noun}, {least}{}", ByteSize::b(offer.bytes_to_come()).display().iec())
}
