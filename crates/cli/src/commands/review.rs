//! `maquette review`: serves the pages of runs on this machine, so that picks and votes are saved.

use super::workspace;
use crate::args::{Common, ReviewArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::{output, signals};
use maquette_review::{Server, ServerOptions};

pub fn review(args: &ReviewArgs, common: &Common) -> Outcome {
    let options = ServerOptions { port: args.port, mask_model: Some(args.mask_model.clone()) };
    let server = Server::open(&workspace(common)?, &args.reviewed, &options, &mut output::warning)?;
    let stop = server.stop_handle();
    signals::on_first(move || stop.stop());
    let url = server.url();
    output::print(&format!("{url}\n"))?;
    if !common.quiet {
        output::message("Ctrl-C ends the review; everything is saved as it is made");
    }
    if args.open
        && let Err(error) = opener::open_browser(&url)
    {
        output::warning(&format!("cannot open the browser: {error}"));
    }
    server.run()?;
    Ok(Exit::Done)
}

impl From<maquette_review::ReviewError> for Failure {
    fn from(error: maquette_review::ReviewError) -> Failure {
        match error {
            maquette_review::ReviewError::Run(error) => error.into(),
            error => Failure::with_hint(Exit::Unexpected, &error, error.hint()),
        }
    }
}
