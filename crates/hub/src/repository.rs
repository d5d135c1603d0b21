//! The name of a repository: `owner/name`, followed by `@revision` if it is not the main branch.

use std::fmt;
use std::str::FromStr;

/// A repository of a model at a revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    name: String,
    revision: String,
}

/// Text that is not a repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a repository name; allowed: OWNER/NAME or OWNER/NAME@REVISION")]
pub struct RepositoryError(pub String);

impl Repository {
    /// `owner/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The folder in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }

    /// The main branch of the repository with this folder in the cache.
    pub(crate) fn of_folder(folder: &str) -> Option<Repository> {
        let name = folder.strip_prefix("models--")?.replacen("--", "/", 1);
        name.parse().ok().filter(|found: &Repository| found.name == name)
    }
}

/// Strict, because the parts become folder names: no `..`, no empty part, only characters that the hub allows.
impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Repository, RepositoryError> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let part = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.chars().all(letter)
        };
        let named = name.split('/').count() == 2 && name.split('/').all(part) && !name.contains("--");
        // Git allows more, but such names are not used in practice.
        let revised = revision.split('/').all(part) && !revision.contains("..");
        match named && revised {
            true => Ok(Repository { name: name.to_owned(), revision: revision.to_owned() }),
            false => Err(RepositoryError(text.to_owned())),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.revision {
            "main" => f.write_str(&self.name),
            revision => write!(f, "{}@{revision}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_revisions() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found: Option<Repository> = text.parse().ok();
            let found = found.as_ref().map(|repository| (repository.name(), repository.revision()));
            assert_eq!(found, expected, "{text}");
        };
        check("CompVis/stable-diffusion-v1-4", Some(("CompVis/stable-diffusion-v1-4", "main")));
        check("a/b@fp16", Some(("a/b", "fp16")));
        check("a/b@refs/pr/3", Some(("a/b", "refs/pr/3")));
        let wrong = [
            "sketchbook",
            "a/b/c",
            "/b",
            "a/",
            "../b",
            "a/..",
            "a/b@",
            "a/b@../x",
            "a/b@x/../y",
            "a b/c",
            "a--b/c",
            "./model",
            "a/b@x\\y",
            "a/b.safetensors@",
            "",
        ];
        wrong.into_iter().for_each(|text| check(text, None));
    }

    #[test]
    fn a_name_round_trips_through_its_folder() {
        let repository: Repository = "stabilityai/sd-turbo".parse().unwrap();
        assert_eq!(Repository::of_folder(&repository.folder()), Some(repository));

        assert_eq!(Repository::of_folder("datasets--a--b"), None);
    }
}
