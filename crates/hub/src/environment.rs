//! The environment variables of Hugging Face's own tools, with the same meanings.

use maquette_files::limits;
use std::path::PathBuf;

/// Where the hub and its cache are, and the token to use.
#[derive(Clone)]
pub struct Environment {
    /// `HF_ENDPOINT`, without a trailing slash.
    pub endpoint: String,
    /// `HF_TOKEN`, or what is in the token file that `hf auth login` writes (`HF_TOKEN_PATH`, `HF_HOME/token`).
    pub token: Option<String>,
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// `HF_HUB_OFFLINE`: no requests are made.
    pub offline: bool,
    /// No links in the cache: `HF_HUB_DISABLE_SYMLINKS`.
    pub no_links: bool,
    /// Certificates to trust, of a proxy for instance, in PEM form: `SSL_CERT_FILE`.
    pub certificates: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Environment {
        Environment::from(&|name| std::env::var(name).ok())
    }

    /// Reads the environment through `variable`. Empty variables count as absent.
    pub fn from(variable: &dyn Fn(&str) -> Option<String>) -> Environment {
        let text = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let user = || std::env::home_dir().unwrap_or_default();
        // huggingface_hub expands `~` in these, as they may come from files that are not read by a shell.
        let path = |name: &str| {
            text(name).map(|value| match value.strip_prefix("~/") {
                Some(rest) => user().join(rest),
                None => PathBuf::from(value),
            })
        };
        let flag = |name: &str| {
            text(name).is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&&*value.to_uppercase()))
        };
        let home = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME").unwrap_or_else(|| user().join(".cache")).join("huggingface")
        });
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token_from_file = || {
            let token = maquette_files::read_text(&token_file, limits::LINE).ok()?.trim().to_owned();
            Some(token).filter(|token| !token.is_empty() && !flag("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        };
        Environment {
            endpoint: text("HF_ENDPOINT")
                .map_or("https://huggingface.co".to_owned(), |url| url.trim_end_matches('/').to_owned()),
            token: text("HF_TOKEN").or_else(token_from_file),
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            offline: flag("HF_HUB_OFFLINE"),
            no_links: flag("HF_HUB_DISABLE_SYMLINKS"),
            certificates: path("SSL_CERT_FILE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Environment {
        Environment::from(&|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_variables_mean_the_same_as_in_huggingface_hub() {
        let home = tempfile::tempdir().unwrap();
        let plain = from(&[("HF_HOME", home.path().to_str().unwrap())]);
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert_eq!(plain.cache, home.path().join("hub"));
        assert!(plain.token.is_none() && !plain.offline && !plain.no_links);

        std::fs::write(home.path().join("token"), "hf_of_the_file\n").unwrap();
        let given = [
            ("HF_HOME", home.path().to_str().unwrap()),
            ("HF_ENDPOINT", "http://mirror.example/hub/"),
            ("HF_HUB_CACHE", "~/models"),
            ("HF_HUB_OFFLINE", "true"),
            ("HF_TOKEN", ""),
        ];
        let given = from(&given);
        assert_eq!(given.endpoint, "http://mirror.example/hub");
        assert_eq!(given.cache, std::env::home_dir().unwrap().join("models"));
        assert_eq!(given.token.as_deref(), Some("hf_of_the_file"));
        assert!(given.offline);
        let home = home.path().to_str().unwrap();
        assert_eq!(from(&[("HF_HOME", home), ("HF_TOKEN", " hf_given ")]).token.as_deref(), Some("hf_given"));
        assert_eq!(from(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        assert!(!from(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert_eq!(from(&[("XDG_CACHE_HOME", "/caches")]).cache, PathBuf::from("/caches/huggingface/hub"));
    }
}
