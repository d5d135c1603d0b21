//! The address of a folder relative to a page, as a browser reads it.

use std::io;
use std::path::{Component, Path};

/// The URL of a folder relative to another one, with `/` between names and without one at the end; both must exist.
///
/// # Errors
///
/// If one of them does not exist, or no path leads from one to the other, as between the drives of Windows.
pub(super) fn relative_url(from: &Path, to: &Path) -> io::Result<String> {
    let (from, to) = (from.canonicalize()?, to.canonicalize()?);
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    if common == 0 {
        return Err(io::Error::other(
            "no relative path leads to it from the page; allowed: a folder on the same drive",
        ));
    }
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|name| encoded(&name.as_os_str().to_string_lossy()));
    let names: Vec<String> = up.chain(down).collect();
    Ok(if names.is_empty() { ".".to_owned() } else { names.join("/") })
}

/// A name in a URL: letters and digits of any script, and marks without a meaning in URLs, stay as they are.
pub(super) fn encoded(name: &str) -> String {
    let mut url = String::new();
    for letter in name.chars() {
        if letter.is_alphanumeric() || "-_.~@!()=,+".contains(letter) {
            url.push(letter);
        } else {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().for_each(|byte| url.push_str(&format!("%{byte:02X}")));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_from_a_page() {
        let root = tempfile::tempdir().unwrap();
        let check = |from: &str, to: &str, expected: &str| {
            let (from, to) = (root.path().join(from), root.path().join(to));
            for folder in [&from, &to] {
                std::fs::create_dir_all(folder).unwrap();
            }
            assert_eq!(relative_url(&from, &to).unwrap(), expected);
        };
        check("runs/.diffs/a@1-a@2", "runs/a/1", "../../a/1");
        check("runs/a/1", "runs/a/1", ".");
        check("elsewhere", "my runs #1/50%/ä?", "../my%20runs%20%231/50%25/ä%3F");
        check("page", "\"<quote>'&", "../%22%3Cquote%3E%27%26");
        assert!(relative_url(root.path(), &root.path().join("nowhere")).is_err());
    }
}
