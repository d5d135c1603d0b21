//! `maquette animate`: writes animations of a run along an axis, and prints their paths.

use super::workspace;
use crate::args::{AnimateArgs, Common};
use crate::exit::Outcome;
use crate::output;
use maquette::AnimateOptions;

pub fn animate(args: &AnimateArgs, common: &Common) -> Outcome {
    let options = AnimateOptions {
        along: args.along.clone(),
        only: args.only.clone(),
        file: args.output.clone(),
        seconds_per_frame: args.seconds_per_frame,
        bounce: args.bounce,
    };
    output::print(&output::paths(workspace(common)?.animate(&args.run, &options, &mut output::warning)?))
}
