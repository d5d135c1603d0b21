//! The planner's errors: what is wrong with an experiment, and where.
//!
//! Every problem states what is wrong, where, and what is allowed; the help states how to fix it.

use crate::place::{At, Origin};
use miette::{Diagnostic, LabeledSpan, SourceCode};
use std::fmt;
use std::sync::Arc;

/// How many problems are reported in full.
const MAX_PROBLEMS: usize = 20;

/// The label of a place about which there is nothing more to say.
const HERE: &str = "here";

/// All problems of an experiment. No plan was made.
#[derive(Debug)]
pub struct PlanError {
    /// The problems in the order they were found; never empty.
    pub problems: Vec<Problem>,
    /// How many more there are that are not in `problems`.
    pub more: usize,
}

/// One problem: a message, a place in a file or an option, a hint.
#[derive(Debug, Clone)]
pub struct Problem {
    message: String,
    label: String,
    help: Option<String>,
    at: Option<At>,
}

impl Problem {
    pub(crate) fn at(at: &At, message: impl Into<String>) -> Problem {
        Problem { at: Some(at.clone()), ..Problem::without_place(message) }
    }

    /// A problem without a place in a file, such as a missing file.
    pub(crate) fn without_place(message: impl Into<String>) -> Problem {
        Problem { message: message.into(), label: HERE.to_owned(), help: None, at: None }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Replaces the help by a hint, if there is one.
    pub(crate) fn help_if(mut self, help: Option<String>) -> Problem {
        self.help = help.or(self.help);
        self
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        self.at.as_ref().map(|at| &at.origin)
    }

    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What there is to say about the place itself, such as `allowed: from 0 to 1`.
    pub fn remark(&self) -> Option<&str> {
        self.at.as_ref().map(|_| self.label.as_str()).filter(|label| *label != HERE)
    }

    /// The file or option that it is in, with line and column counted from 1.
    pub fn place(&self) -> Option<(&str, usize, usize)> {
        let at = self.at.as_ref()?;
        let before = at.origin.text().get(..at.span.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((at.origin.name(), before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.origin().map(|origin| &origin.code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.at.as_ref()?;
        let span = LabeledSpan::new_with_span(Some(self.label.clone()), at.span.clone());
        Some(Box::new(std::iter::once(span)))
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problems[..] {
            [problem] if self.more == 0 => problem.fmt(f),
            problems => {
                write!(f, "{} problems in this experiment", problems.len() + self.more)?;
                if self.more > 0 {
                    write!(f, "; showing the first {}", problems.len())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for PlanError {}

/// One problem is shown as itself, several as a list.
impl Diagnostic for PlanError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.single()?.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.single()?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.single()?.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self.single() {
            Some(_) => None,
            None => Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic))),
        }
    }
}

impl PlanError {
    fn single(&self) -> Option<&Problem> {
        if self.problems.len() == 1 && self.more == 0 { self.problems.first() } else { None }
    }
}

impl From<Problem> for PlanError {
    fn from(problem: Problem) -> PlanError {
        PlanError { problems: vec![problem], more: 0 }
    }
}

/// The problems found so far. Checking continues after a problem, so that all are reported at once.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub fn add(&mut self, problem: Problem) {
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Returns the value, or adds the problem.
    pub fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    /// Ends a stage: fails if there are problems, so that later stages may rely on earlier ones.
    pub fn settle(&mut self) -> Result<(), PlanError> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(PlanError { problems: std::mem::take(&mut self.found), more: self.more })
    }
}
