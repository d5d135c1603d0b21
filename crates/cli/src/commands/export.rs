//! `maquette export`: copies a run's pictures and settings in a form that other programs read.

use super::workspace;
use crate::args::{Common, ExportArgs};
use crate::exit::Outcome;
use crate::output;

pub fn export(args: &ExportArgs, common: &Common) -> Outcome {
    workspace(common)?.export_image_folder(&args.run, &args.imagefolder)?;
    output::print(&output::paths([args.imagefolder.join("metadata.csv")]))
}
