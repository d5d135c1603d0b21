//! Every exit code, and the error that carries one.

use std::process::ExitCode;

/// How the program ends. Scripts may rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// Something unexpected broke.
    Unexpected = 1,
    /// The command line is wrong (clap's own number).
    #[allow(dead_code, reason = "clap ends the program itself; the number is listed for the documentation")]
    CommandLine = 2,
    /// The experiment file, or something it names, is invalid.
    Experiment = 3,
    /// Some cells failed; the others are kept.
    CellsFailed = 5,
    /// `diff`, `reproduce` or `verify` found differences.
    Different = 6,
    /// A run, picture or model was not found or cannot be read.
    NotFound = 7,
    /// Interrupted; finished cells are kept.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error on its way out, with the exit code that goes with it.
#[derive(Debug)]
pub struct Failure {
    /// How the program will end.
    pub exit: Exit,
    /// What to print.
    pub report: miette::Report,
}

impl Failure {
    /// A failure from any error that can be printed.
    pub fn new(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Failure { exit, report: miette::IntoDiagnostic::into_diagnostic(Err::<(), _>(error)).unwrap_err() }
    }

    /// A failure that is a sentence, with a hint.
    pub fn message(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Failure {
        let diagnostic = miette::MietteDiagnostic::new(message);
        let help: String = help.into();
        let diagnostic = if help.is_empty() { diagnostic } else { diagnostic.with_help(help) };
        Failure { exit, report: diagnostic.into() }
    }
}

/// Gives an error its exit code: `result.or_exit(Exit::NotFound)?`.
pub trait OrExit<T> {
    /// The value, or the failure with that exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}
