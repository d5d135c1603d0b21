//! `maquette reproduce`: renders a picture again from its metadata and compares the two.

use super::rendering_workspace;
use crate::args::{Common, ReproduceArgs};
use crate::exit::{Exit, Outcome};
use crate::{output, text};
use maquette::{Likeness, ReproduceOptions};

pub fn reproduce(args: &ReproduceArgs, common: &Common) -> Outcome {
    let workspace =
        rendering_workspace(common, &args.render.device, args.render.offload, args.render.backend)?;
    let options = ReproduceOptions { set: args.set.clone(), save: args.save.clone() };
    let reproduction = workspace.reproduce(&args.image, &options, &mut output::notes(common.quiet))?;
    output::print(&match args.render.json {
        true => output::json(&reproduction),
        false => text::reproduction(&reproduction),
    })?;
    // With `--set` a different picture is expected.
    let expected = reproduction.likeness != Likeness::Different || !args.set.is_empty();
    Ok(if expected { Exit::Done } else { Exit::Different })
}
