//! `maquette votes`: ranks the values of every axis by the votes.

use super::workspace;
use crate::args::{Common, VotesArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn votes(args: &VotesArgs, common: &Common) -> Outcome {
    let ranking = workspace(common)?.ranking(&args.run)?;
    for problem in &ranking.problems {
        output::warning(problem);
    }
    output::print(&if args.json { output::json(&ranking) } else { text::ranking(&ranking) })
}
