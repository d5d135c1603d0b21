//! `maquette completions`: prints a completion script for a shell.

use crate::args::CommandLine;
use crate::exit::Outcome;
use crate::output;
use clap::CommandFactory;

pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "maquette", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
