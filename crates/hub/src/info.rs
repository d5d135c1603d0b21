//! A repository's information on the hub at a revision: its commit, its files, its licence.

use crate::http::Client;
use crate::{HubError, Repository, Wanted};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A repository at a commit.
pub(crate) struct Info {
    /// 40 hexadecimal digits.
    pub commit: String,
    /// Every file, with its size in bytes where the hub gives it.
    pub files: BTreeMap<String, Option<u64>>,
    /// The licence's name on the hub, such as `creativeml-openrail-m`.
    pub licence: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, rename = "cardData")]
    card: Value,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

/// Requests a repository's information.
pub(crate) fn info(client: &Client, repository: &Repository) -> Result<Info, HubError> {
    let revision = repository.revision().replace('/', "%2F");
    let url =
        format!("{}/api/models/{}/revision/{revision}?blobs=true", client.endpoint(), repository.name());
    let bytes = client.get(&url).map_err(|error| match error {
        // A bare 404 means a missing repository, as the revision is usually the main branch.
        HubError::NoFile { .. } => HubError::NoRepository {
            endpoint: client.endpoint().to_owned(),
            repository: repository.to_string(),
            token: client.sends_token(),
        },
        error => error,
    })?;
    parse(&bytes).map_err(|reason| HubError::Nonsense { url: url.clone(), reason })
}

/// The files to get from a repository, by the hub's list of its files and the content of its model_index.json.
///
/// # Errors
///
/// What is wrong with the list, or why the repository cannot be used.
pub fn wanted_files(list: &[u8], index: Option<&[u8]>, wanted: &Wanted) -> Result<Vec<String>, String> {
    let info = parse(list)?;
    let all = || info.files.keys().cloned().collect();
    let files = wanted.files(index, &all, &|file| info.files.contains_key(file), &|_| false);
    files.map_err(|reason| reason.to_string())
}

/// The information in an answer; the error says what is wrong with it.
fn parse(bytes: &[u8]) -> Result<Info, String> {
    let reply: Reply = serde_json::from_slice(bytes).map_err(|error| json_problem(bytes, &error))?;
    let commit = reply.sha.filter(|sha| is_commit(sha));
    let commit = commit.ok_or("it has no commit (`sha`)")?;
    Ok(Info {
        commit,
        licence: licence(&reply.card, &reply.tags),
        files: reply.siblings.into_iter().map(|file| (file.rfilename, file.size)).collect(),
    })
}

pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// Why an answer is not the expected JSON.
pub(crate) fn json_problem(bytes: &[u8], error: &serde_json::Error) -> String {
    match bytes.trim_ascii_start().first() {
        None => "it is empty".to_owned(),
        Some(b'<') => "it is a web page, not JSON".to_owned(),
        Some(_) => format!("it is not JSON of the expected form: {error}"),
    }
}

/// The licence from the card or the tags. For `other`, the `license_name` if there is one.
fn licence(card: &Value, tags: &[String]) -> Option<String> {
    let text = |key: &str| match &card[key] {
        Value::String(text) => Some(text.clone()),
        Value::Array(texts) => {
            let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            Some(texts.join(", ")).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    let tag = || tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(str::to_owned);
    let licence = text("license").or_else(tag)?;
    Some(if licence == "other" { text("license_name").unwrap_or(licence) } else { licence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_licence_is_found_in_the_card_or_the_tags() {
        let check = |card: Value, tags: &[&str], expected: Option<&str>| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(licence(&card, &tags).as_deref(), expected, "{card}");
        };
        check(json!({ "license": "mit" }), &["license:apache-2.0"], Some("mit"));
        check(json!({ "license": ["mit", "apache-2.0"] }), &[], Some("mit, apache-2.0"));
        check(json!({ "license": "other", "license_name": "sai-nc" }), &[], Some("sai-nc"));
        check(json!({ "license": "other" }), &[], Some("other"));
        check(Value::Null, &["diffusers", "license:creativeml-openrail-m"], Some("creativeml-openrail-m"));
        check(Value::Null, &[], None);
    }
}
