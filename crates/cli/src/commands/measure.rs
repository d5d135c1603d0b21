//! `maquette measure`: measures the pictures of a run, or lists the metrics.

use super::{named_models, workspace};
use crate::args::{Common, MeasureArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn measure(args: &MeasureArgs, common: &Common) -> Outcome {
    let Some(run) = args.run.as_deref().filter(|_| !args.list) else {
        return output::print(&text::metrics());
    };
    let models =
        named_models([("clip", &args.clip), ("siglip", &args.siglip), ("aesthetic", &args.aesthetic)]);
    let mut progress = text::Percent::new("measuring", common.quiet);
    let measurement =
        workspace(common)?.measure(run, &args.metric, &models, &mut |done, all| progress.show(done, all))?;
    measurement.notes.iter().for_each(|note| output::warning(note));
    output::print(&text::measurement(&measurement))
}
