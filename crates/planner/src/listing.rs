//! Values from outside the experiment file: the lines of a text file, the files that match a pattern.

use crate::place::{At, Origin, folder_of};
use crate::problem::Problem;
use crate::{text_file, values};
use maquette_core::{MAX_VALUES, Setting, Value};
use maquette_files::limits;
use std::path::Path;
use std::sync::Arc;

/// One value per line; blank lines and lines that begin with `#` are skipped.
pub(crate) fn lines(name: &str, written: &str, at: &At) -> Result<Vec<(Value, At)>, Problem> {
    let path = at.origin.folder.join(written);
    let text = text_file::read(&path, written, limits::LIST).map_err(|unreadable| {
        Problem::at(at, format!("cannot read {}: {}", path.display(), unreadable.reason))
            .help("allowed: a text file in UTF-8 with one value per line, relative to the file that names it")
            .help_if(unreadable.help)
    })?;
    let rebased = at.origin.rebase(written);
    let folder = path.parent().unwrap_or(Path::new(""));
    let origin = Origin::new(&path.to_string_lossy(), text, folder, folder_of(&rebased), at.layer());
    let origin = Arc::new(origin);
    let mut points = Vec::new();
    let mut start = 0;
    for line in origin.text().split_inclusive('\n') {
        let value = line.trim_start_matches('\u{feff}').trim();
        if !value.is_empty() && !value.starts_with('#') {
            let from = start + line.find(value).unwrap_or(0);
            let at = At { origin: Arc::clone(&origin), span: from..from + value.len() };
            points.push((values::from_line(name, value, &at)?, at));
        }
        start += line.len();
    }
    if points.is_empty() {
        return Err(Problem::at(at, format!("{} contains no values", path.display()))
            .help("allowed: one value per line; blank lines and lines that begin with # are skipped"));
    }
    Ok(points)
}

/// The files that match a pattern such as `photos/*.jpg`, sorted by name.
pub(crate) fn files(name: &str, pattern: &str, at: &At) -> Result<Vec<(Value, At)>, Problem> {
    let folder = &at.origin.folder;
    let wrong = |message: String| {
        Problem::at(at, message)
            .help("`*` matches any characters, `?` one character, `**` any folders; relative to the file that names it")
    };
    let whole = match Path::new(pattern).is_absolute() || folder.as_os_str().is_empty() {
        true => pattern.to_owned(),
        false => format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy())),
    };
    let paths = glob::glob(&whole)
        .map_err(|error| wrong(format!("`{pattern}` is not a valid pattern: {}", error.msg)))?;
    let mut found = Vec::new();
    for path in paths {
        // One more than allowed, which is an error of the axis.
        if found.len() > MAX_VALUES {
            break;
        }
        let path = path.map_err(|error| wrong(format!("cannot search for `{pattern}`: {error}")))?;
        if path.is_file() {
            let written = path.strip_prefix(folder).unwrap_or(&path);
            let Some(written) = written.to_str() else {
                return Err(wrong(format!("the file name {} is not UTF-8", path.display())));
            };
            found.push(written.replace('\\', "/"));
        }
    }
    if found.is_empty() {
        return Err(wrong(format!("no file matches `{pattern}`")));
    }
    found.sort();
    let value = |path: String| match Setting::named(name) {
        Some(setting) => values::fit(setting, Value::Text(path), at),
        None => Ok(Value::Text(at.origin.rebase(&path))),
    };
    found.into_iter().map(|path| Ok((value(path)?, at.clone()))).collect()
}
