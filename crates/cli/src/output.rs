//! Results go to standard output, everything else to standard error, so that pipes work.

use crate::exit::{Exit, Failure, Outcome};
use crate::printable::printable;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Prints a result. A closed pipe is not an error.
pub fn print(text: &str) -> Outcome {
    let text = if std::io::stdout().is_terminal() { printable(text) } else { text.into() };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Unexpected, error))
        }
        _ => Ok(Exit::Done),
    }
}

/// Prints a message on standard error.
pub fn message(text: impl std::fmt::Display) {
    let text = text.to_string();
    let text = if std::io::stderr().is_terminal() { printable(&text) } else { text.into() };
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The callback for notes from the library: messages, or nothing with `--quiet`.
pub fn notes(quiet: bool) -> impl FnMut(&str) {
    move |note| {
        if !quiet {
            message(note);
        }
    }
}

/// The callback for warnings from the library, which `--quiet` does not silence.
pub fn warning(text: &str) {
    message(format_args!("warning: {text}"));
}

/// Opens a page in the browser. Without one, as on a server, the path that is printed can be opened elsewhere.
pub fn open(page: &std::path::Path) {
    if let Err(error) = opener::open_browser(page).or_else(|_| opener::open(page)) {
        warning(&format!("the page could not be opened: {error}"));
    }
}

/// A result as JSON.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Paths, one per line.
pub fn paths(paths: impl IntoIterator<Item = std::path::PathBuf>) -> String {
    paths.into_iter().map(|path| format!("{}\n", path.display())).collect()
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
