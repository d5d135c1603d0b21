//! `maquette effects`: shows how much the pictures of a run change along each axis, and draws it.

use super::{named_models, workspace};
use crate::args::{Common, EffectsArgs};
use crate::exit::Outcome;
use crate::{output, text};
use maquette::EffectsOptions;

pub fn effects(args: &EffectsArgs, common: &Common) -> Outcome {
    let EffectsArgs { run, measure, metric, along, lines, json, csv, clip, siglip } = args;
    let options = EffectsOptions {
        measure: measure.clone(),
        metric: metric.clone(),
        along: along.clone(),
        lines: lines.clone(),
        models: named_models([("clip", clip), ("siglip", siglip)]),
    };
    let mut progress = text::Percent::new("reading", common.quiet);
    let effects = workspace(common)?.effects(run, &options, &mut |done, all| progress.show(done, all))?;
    let mut paths = Vec::new();
    if let Some(folder) = csv {
        paths.extend(effects.write_tables(folder)?);
    }
    if *json {
        return output::print(&output::json(&effects));
    }
    effects.notes.iter().for_each(|note| output::warning(note));
    paths.extend(effects.write_plots()?);
    output::print(&(text::effects(&effects) + &output::paths(paths)))
}
