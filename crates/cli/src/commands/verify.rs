//! `maquette verify`: checks the pictures and log of a run, and renders some cells again.

use super::rendering_workspace;
use crate::args::{Common, VerifyArgs};
use crate::exit::{Exit, Outcome};
use crate::{output, text};
use maquette::VerifyOptions;

pub fn verify(args: &VerifyArgs, common: &Common) -> Outcome {
    let workspace =
        rendering_workspace(common, &args.render.device, args.render.offload, args.render.backend)?;
    let options = VerifyOptions { sample: args.sample, seed: args.seed };
    let verification = workspace.verify(&args.run, options, &mut output::notes(common.quiet))?;
    output::print(&match args.render.json {
        true => output::json(&verification),
        false => text::verification(&verification),
    })?;
    Ok(if verification.is_sound() { Exit::Done } else { Exit::Different })
}
