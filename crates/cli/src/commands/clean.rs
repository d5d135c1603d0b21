//! `maquette clean`: removes what no run uses any more, or a run, after saying what that frees.

use super::workspace;
use crate::args::{CleanArgs, Common};
use crate::exit::{Exit, Outcome};
use crate::{output, text};
use std::io::IsTerminal;

pub fn clean(args: &CleanArgs, common: &Common) -> Outcome {
    let workspace = workspace(common)?;
    let run = args.run.as_ref().map(|run| workspace.unused_without(run, args.with_picks)).transpose()?;
    let unused = match &run {
        Some((_, unused)) => unused.clone(),
        None => workspace.unused()?,
    };
    for note in &unused.notes {
        output::message(format_args!("note: {note}"));
    }
    output::print(&text::unused(&unused))?;
    if unused.files.is_empty() {
        return Ok(Exit::Done);
    }
    if !args.yes && !confirmed() {
        output::message("nothing was removed; --yes removes it");
        return Ok(Exit::Done);
    }
    match &run {
        Some((run, _)) => _ = workspace.remove_run(run, args.with_picks)?,
        None => {
            let kept = unused.files.len() - workspace.remove_unused(&unused)?.files.len();
            if kept > 0 {
                output::message(format_args!("{kept} of them are in use by now, so they were kept"));
            }
        }
    }
    Ok(Exit::Done)
}

/// Asks on a terminal; elsewhere the answer is no.
fn confirmed() -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    output::message("remove it? [y/N]");
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}
