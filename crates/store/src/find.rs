//! Finds a run by name, prefix or path.

use crate::former_names::FormerNames;
use crate::{Run, Runs, StoreError, plan_file};
use std::path::Path;

/// The most names that an error suggests.
const OFFERED: usize = 5;

impl Runs {
    /// Finds a run: by name, as `mucha@1`, `mucha@latest` or `mucha` (the latest), by a unique prefix of a name (`muc@2`),
    /// by a name that it had before it was renamed, or by the path of its folder or of the folder above it (the latest).
    pub fn find(&self, query: &str) -> Result<Run, StoreError> {
        match self.by_name(query) {
            Err(error @ StoreError::NoRun { .. }) => match self.by_former_name(query)? {
                Some(run) => Ok(run),
                None => at_path(Path::new(query))?.ok_or(error),
            },
            found => found,
        }
    }

    fn by_former_name(&self, query: &str) -> Result<Option<Run>, StoreError> {
        let names = FormerNames::read(self.root())?;
        let now = match query.split_once('@') {
            None | Some((_, "latest")) => names.latest(query.trim_end_matches("@latest")),
            Some(_) => names.present(query).flatten(),
        };
        Ok(self.list()?.into_iter().find(|run| now == Some(&*run.to_string())))
    }

    fn by_name(&self, query: &str) -> Result<Run, StoreError> {
        let (name, number) = query.split_once('@').unwrap_or((query, "latest"));
        let all = self.list()?;
        let name = match full_name(&all, name) {
            Ok(name) => name,
            Err(candidates) if candidates.is_empty() => return Err(self.no_run(query, &all)),
            Err(candidates) => return Err(StoreError::Ambiguous { query: query.to_owned(), candidates }),
        };
        let mut named = all.iter().filter(|run| run.name() == name);
        let found = match number {
            "latest" => named.max_by_key(|run| run.number()),
            number => named.find(|run| run.number().to_string() == number),
        };
        found.cloned().ok_or_else(|| self.no_run(query, &all))
    }

    fn no_run(&self, query: &str, all: &[Run]) -> StoreError {
        let name = query.split('@').next().unwrap_or_default();
        let likeness = |run: &Run| strsim::jaro_winkler(name, run.name());
        let mut near: Vec<(f64, String)> = all.iter().map(|run| (likeness(run), run.to_string())).collect();
        // The latest first among the runs of one name.
        near.reverse();
        near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
        // If no name is similar, the error lists the others.
        let close = near.iter().filter(|(likeness, _)| best < 0.7 || *likeness >= 0.7);
        let nearest = close.take(OFFERED).map(|(_, name)| name.clone()).collect();
        StoreError::NoRun { query: query.to_owned(), root: self.shown(self.root()), nearest }
    }
}

impl Run {
    /// The run that contains a file at any depth; `None` if the file is not in a run.
    pub fn around(file: &Path) -> Option<Run> {
        let file = std::path::absolute(file).ok()?;
        let folder = file.ancestors().skip(1).find(|folder| plan_file::is_run(folder))?;
        at_path(folder).ok().flatten()
    }
}

/// The name with that prefix, or all names that match if not exactly one does.
fn full_name<'a>(all: &'a [Run], prefix: &str) -> Result<&'a str, Vec<String>> {
    let mut names: Vec<&str> = all.iter().map(Run::name).collect();
    names.dedup();
    if let Some(exact) = names.iter().find(|name| **name == prefix) {
        return Ok(exact);
    }
    names.retain(|name| !prefix.is_empty() && name.starts_with(prefix));
    match names[..] {
        [only] => Ok(only),
        _ => Err(names.into_iter().map(str::to_owned).collect()),
    }
}

/// A run by the path of its folder; by the path of the folder above it, the latest.
fn at_path(path: &Path) -> Result<Option<Run>, StoreError> {
    let Ok(dir) = path.canonicalize() else { return Ok(None) };
    let name_of =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let name = name_of(&dir);
    if !plan_file::is_run(&dir) {
        let above = Runs::open(dir.parent().unwrap_or(&dir))?;
        return Ok(above.of_name(&name)?.into_iter().max());
    }
    // The path as given, unless it is a link such as `latest`.
    let run_dir = if path.file_name() == dir.file_name() { path.to_owned() } else { dir.clone() };
    Ok(Some(match name.parse() {
        Ok(number) => Run { name: dir.parent().map(name_of).unwrap_or_default(), number, dir: run_dir },
        // Moved out of the runs folder and renamed.
        Err(_) => Run { name, number: 0, dir: run_dir },
    }))
}
