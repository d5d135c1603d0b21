//! The runs that are served: those under review, and their ancestors, which their pages link to.

use crate::error::{Refusal, ReviewError};
use axum::http::StatusCode;
use maquette::{Run, Workspace};
use std::collections::BTreeMap;

/// The served runs.
pub(crate) struct Runs(BTreeMap<(String, usize), Served>);

struct Served {
    run: Run,
    /// Whether it is under review, not only an ancestor.
    listed: bool,
}

impl Runs {
    /// The runs of those names, and their ancestors as far as they are in the runs folder.
    pub fn find(workspace: &Workspace, names: &[String]) -> Result<Runs, ReviewError> {
        let mut runs: BTreeMap<(String, usize), Served> = BTreeMap::new();
        let mut parents = Vec::new();
        for name in names {
            let run = workspace.runs().find(name).map_err(maquette::Error::from)?;
            // A run that cannot be read is an error now, not when its page is opened.
            parents.extend(run.plan().map_err(maquette::Error::from)?.derived_from);
            let name = run.to_string();
            let same = runs.insert(key(&run), Served { run: run.clone(), listed: true });
            if same.is_some_and(|same| same.run.dir() != run.dir()) {
                return Err(ReviewError::SameName { name });
            }
        }
        while let Some(parent) = parents.pop() {
            let Ok(run) = workspace.runs().find(&parent.run) else { continue };
            let exact = run.to_string() == parent.run;
            if exact && !runs.contains_key(&key(&run)) {
                parents.extend(run.plan().ok().and_then(|plan| plan.derived_from));
                runs.insert(key(&run), Served { run, listed: false });
            }
        }
        Ok(Runs(runs))
    }

    /// The runs under review.
    pub fn listed(&self) -> impl Iterator<Item = &Run> {
        self.0.values().filter(|served| served.listed).map(|served| &served.run)
    }

    /// The run under review if there is only one.
    pub fn only(&self) -> Option<&Run> {
        let mut listed = self.listed();
        listed.next().filter(|_| listed.next().is_none())
    }

    /// The run at an address.
    pub fn at(&self, name: &str, number: &str) -> Result<Run, Refusal> {
        let found = number.parse().ok().and_then(|number| self.0.get(&(name.to_owned(), number)));
        found.map(|served| served.run.clone()).ok_or_else(|| missing(&format!("{name}@{number}")))
    }

    /// The run of a name such as `mucha@1`.
    pub fn named(&self, name: &str) -> Result<&Run, Refusal> {
        let mut runs = self.0.values().map(|served| &served.run);
        runs.find(|run| run.to_string() == name).ok_or_else(|| missing(name))
    }
}

/// The address of a run below the token, as in the runs folder: `mucha/1/`.
pub(crate) fn address(run: &Run) -> String {
    format!("{}/{}/", path_part(run.name()), run.number())
}

fn key(run: &Run) -> (String, usize) {
    (run.name().to_owned(), run.number())
}

fn missing(name: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("no run `{name}` is reviewed here"))
}

/// A name as one part of an address.
fn path_part(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.@~".contains(byte);
    let part = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    name.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_addresses() {
        let check = |name: &str, expected: &str| assert_eq!(path_part(name), expected);
        check("mucha-sd1.4", "mucha-sd1.4");
        check("größe", "gr%C3%B6%C3%9Fe");
        check("<b>\"&/", "%3Cb%3E%22%26%2F");
    }
}
