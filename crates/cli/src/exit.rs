//! Every exit code, and the error that carries one.

use maquette::{ErrorKind, Summary};
use std::process::ExitCode;

/// How the program ends. Scripts may rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything requested is done.
    Done = 0,
    /// An unexpected error.
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

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::Experiment => Exit::Experiment,
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::CellFailed => Exit::CellsFailed,
            ErrorKind::Unexpected => Exit::Unexpected,
        }
    }
}

/// How a run ended, or the part of a worker in it.
impl From<&Summary> for Exit {
    fn from(summary: &Summary) -> Exit {
        match summary {
            Summary { interrupted: true, .. } => Exit::Interrupted,
            Summary { failures, .. } if !failures.is_empty() => Exit::CellsFailed,
            _ => Exit::Done,
        }
    }
}

/// An error to print, with its exit code.
#[derive(Debug)]
pub struct Failure {
    /// How the program will end.
    pub exit: Exit,
    /// What to print.
    pub report: miette::Report,
}

impl From<maquette::Error> for Failure {
    fn from(error: maquette::Error) -> Failure {
        let exit = error.kind().into();
        if let maquette::Error::Plan(error) = error {
            return Failure { exit, report: error.into() };
        }
        Failure::with_hint(exit, &error, error.hint())
    }
}

impl Failure {
    /// A failure from an error with its causes, and what to do about it.
    pub fn with_hint(exit: Exit, error: &dyn std::error::Error, hint: Option<String>) -> Failure {
        let diagnostic = miette::MietteDiagnostic::new(maquette::with_causes(error));
        let report = match hint {
            Some(hint) => diagnostic.with_help(hint).into(),
            None => diagnostic.into(),
        };
        Failure { exit, report }
    }

    /// A failure from any error that can be printed.
    pub fn new(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Failure { exit, report: miette::Report::from_err(error) }
    }
}

/// The result of a command.
pub type Outcome = Result<Exit, Failure>;
