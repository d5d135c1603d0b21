//! `maquette next`: writes the next experiment from the picks and votes of a run.

use super::workspace;
use crate::args::{Common, NextArgs};
use crate::exit::Outcome;
use crate::output;
use maquette::{NextOptions, Promote};

pub fn next(args: &NextArgs, common: &Common) -> Outcome {
    let NextArgs { run, output: file, promote, steps, scale } = args;
    let promote = promote.then_some(Promote { steps: *steps, scale: *scale });
    let next = workspace(common)?.next(run, &NextOptions { promote, file: file.clone() })?;
    for problem in &next.problems {
        output::warning(problem);
    }
    if !common.quiet {
        next.decisions.iter().for_each(output::message);
    }
    match file {
        None => output::print(&next.text),
        Some(file) => {
            next.write(file)?;
            output::print(&output::paths([file.clone()]))
        }
    }
}
