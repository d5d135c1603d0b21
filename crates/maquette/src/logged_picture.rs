//! Decodes a picture that the log of a run names.

use crate::error::Error;
use maquette_core::Image;
use maquette_picture::decode;
use maquette_store::Run;

/// The pixels of a picture. A path that leads out of the run's folder is an error, as a file that is no picture is.
pub(crate) fn decode_logged(run: &Run, image: &str) -> Result<Image, Error> {
    Ok(decode(&run.picture(image)?)?)
}
