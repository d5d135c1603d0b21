//! `maquette mask`: a mask of the thing at a point of a photo, for the setting `mask` of an experiment.

use super::workspace;
use crate::args::{Common, MaskArgs};
use crate::exit::Outcome;
use crate::output::{self, message};

pub fn mask(args: &MaskArgs, common: &Common) -> Outcome {
    let mask = workspace(common)?.mask_at(&args.photo, &args.at, args.invert, Some(&args.model))?;
    mask.write(&args.output)?;
    if !common.quiet {
        let (white, quality) = (100.0 * mask.white, mask.quality);
        let what = match args.invert {
            false => "the thing is repainted; --invert keeps it and repaints the rest",
            true => "the thing is kept, and everything else is repainted",
        };
        message(format_args!(
            "{white:.0} % of the mask is white: {what} (quality by the model's estimate: {quality:.2})"
        ));
    }
    output::print(&output::paths([args.output.clone()]))
}
