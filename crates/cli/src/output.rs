//! Results to standard output, and how errors of the stages become failures. Talk goes to standard error, so that
//! pipes work.

use crate::exit::{Exit, Failure};
use comfy_table::{ContentArrangement, Table, presets};
use maquette_store::StoreError;
use std::io::Write;

/// What a command ends in.
pub type Outcome = Result<Exit, Failure>;

/// Prints a result. A reader that went away is no error.
pub fn print(text: &str) -> Outcome {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Unexpected, error))
        }
        _ => Ok(Exit::Done),
    }
}

/// Says something to the person, not to the pipe.
pub fn talk(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A size for people.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// A table for the terminal; long cells wrap to its width.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    lines.concat()
}

/// For `map_err`: a failure of the store with its hint.
pub fn store_failure(exit: Exit) -> impl FnOnce(StoreError) -> Failure {
    move |error| {
        let help = error.hint().unwrap_or_default();
        Failure::message(exit, with_causes(&error), help)
    }
}

/// An error and what caused it, in one sentence.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// For `map_err`: a failure of a picture file with its hint.
pub fn picture_failure(error: maquette_picture::PictureError) -> Failure {
    let help = error.hint().unwrap_or_default();
    Failure::message(Exit::NotFound, with_causes(&error), help)
}
