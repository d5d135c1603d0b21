//! Requests: redirects, the token, and what a status means.
//!
//! Redirects are followed here rather than by the HTTP library, because the hub puts the facts about a large file on
//! the redirect itself, and because the token must never reach another host than the hub's.

use crate::{Environment, HubError};
use std::io::Read;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// How long a silent connection is waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a request that failed in passing is made again.
const AGAIN: u32 = 4;
const REDIRECTS: usize = 6;
/// Lists and small files: the longest answer that is read into memory.
const LONGEST: u64 = 64 << 20;

/// A way to ask one hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    /// What is waited before the second try; doubled each time.
    patience: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Get,
    Head,
}

impl Client {
    pub fn new(environment: &Environment, patience: Duration) -> Result<Client, HubError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("maquette/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(SILENCE))
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE));
        if let Some(file) = &environment.certificates {
            let pem = std::fs::read(file).map_err(|_| HubError::Certificates(file.clone()))?;
            let certificates: Vec<_> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(HubError::Certificates(file.clone()));
            }
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Client {
            agent: config.build().new_agent(),
            endpoint: environment.endpoint.clone(),
            token: environment.token.clone(),
            patience,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn sends_token(&self) -> bool {
        self.token.is_some()
    }

    /// A whole answer in memory.
    pub fn get(&self, url: &str) -> Result<Vec<u8>, HubError> {
        self.again(|| {
            let response = self.body(url, 0)?;
            let mut bytes = Vec::new();
            let read = response.into_body().into_reader().take(LONGEST).read_to_end(&mut bytes);
            read.map_err(|error| unreachable(url, error.into()))?;
            Ok(bytes)
        })
    }

    /// What the hub says of a file: the answer to HEAD, its redirects followed as long as they stay at the hub.
    pub fn head(&self, url: &str) -> Result<Response<Body>, HubError> {
        self.again(|| self.follow(Method::Head, url, None))
    }

    /// The content of a file from byte `from` on, one try.
    pub fn body(&self, url: &str, from: u64) -> Result<Response<Body>, HubError> {
        let range = format!("bytes={from}-");
        self.follow(Method::Get, url, (from > 0).then_some(&*range))
    }

    /// Does `what` again while it fails in passing.
    pub fn again<T>(&self, mut what: impl FnMut() -> Result<T, HubError>) -> Result<T, HubError> {
        let mut tries = 0;
        loop {
            match what() {
                Err(error) if error.passes() && tries < AGAIN => self.wait(&mut tries),
                outcome => return outcome,
            }
        }
    }

    /// Waits before another try, longer each time; whether there may be one.
    pub fn wait(&self, tries: &mut u32) {
        std::thread::sleep(self.patience * 2u32.saturating_pow(*tries));
        *tries += 1;
    }

    pub fn may_try_again(tries: u32) -> bool {
        tries < AGAIN
    }

    fn follow(&self, method: Method, url: &str, range: Option<&str>) -> Result<Response<Body>, HubError> {
        let home = origin(&self.endpoint);
        let mut at = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = match method {
                Method::Get => self.agent.get(&at),
                Method::Head => self.agent.head(&at),
            };
            // Sizes are those of the files only when nothing is compressed on the way.
            request = request.header("accept-encoding", "identity");
            if let Some(range) = range {
                request = request.header("range", range);
            }
            if let Some(token) = self.token.as_ref().filter(|_| origin(&at) == home) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| unreachable(url, error))?;
            if !response.status().is_redirection() {
                return self.checked(url, response);
            }
            let location = header(&response, "location");
            let next = location.and_then(|location| absolute(&at, &location)).ok_or_else(|| {
                HubError::Nonsense { url: url.to_owned(), reason: "it redirects to nowhere".to_owned() }
            })?;
            if method == Method::Head && origin(&next) != home {
                return Ok(response);
            }
            at = next;
        }
        Err(HubError::Nonsense {
            url: url.to_owned(),
            reason: format!("it redirects more than {REDIRECTS} times"),
        })
    }

    /// The response, or what its status means.
    fn checked(&self, url: &str, response: Response<Body>) -> Result<Response<Body>, HubError> {
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let code = header(&response, "x-error-code").unwrap_or_default();
        let message = header(&response, "x-error-message").unwrap_or_default();
        let url = url.to_owned();
        let repository = || repository_of(&self.endpoint, &url);
        Err(match (status, &*code) {
            (_, "GatedRepo") => {
                let repository = repository();
                let page = format!("{}/{repository}", self.endpoint);
                HubError::Gated { page, repository, token: self.sends_token() }
            }
            // To those it does not know the hub says 401 for what is not there.
            (_, "RepoNotFound") => HubError::NoRepository {
                endpoint: self.endpoint.clone(),
                repository: repository(),
                token: self.sends_token(),
            },
            (_, "RevisionNotFound") => {
                HubError::NoRevision { repository: repository(), revision: revision_of(&url) }
            }
            (404, _) => HubError::NoFile { url },
            (401 | 403, _) => HubError::Refused { url, status, token: self.sends_token(), message },
            _ => HubError::Status { url, status, message },
        })
    }
}

/// A header as text.
pub(crate) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn unreachable(url: &str, source: ureq::Error) -> HubError {
    HubError::Unreachable { url: url.to_owned(), source: Box::new(source) }
}

/// Scheme, host and port.
fn origin(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    url[..end].to_lowercase()
}

/// Where a redirect leads.
fn absolute(from: &str, location: &str) -> Option<String> {
    let scheme = from.split("://").next()?;
    match location {
        there if there.starts_with("http://") || there.starts_with("https://") => Some(there.to_owned()),
        there if there.starts_with("//") => Some(format!("{scheme}:{there}")),
        there if there.starts_with('/') => Some(origin(from) + there),
        _ => None,
    }
}

/// `owner/name` out of an address that was made here.
fn repository_of(endpoint: &str, url: &str) -> String {
    let path = url.strip_prefix(endpoint).unwrap_or(url).trim_start_matches('/');
    let path = path.strip_prefix("api/models/").unwrap_or(path);
    path.split('/').take(2).collect::<Vec<_>>().join("/")
}

/// The revision out of an address that was made here.
fn revision_of(url: &str) -> String {
    let after = url.split_once("/revision/").or_else(|| url.split_once("/resolve/"));
    let revision = after.map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    revision.replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_somewhere() {
        let check = |location: &str, expected: Option<&str>| {
            assert_eq!(absolute("https://Hub.example:8/a/b?c", location).as_deref(), expected, "{location}");
        };
        check("https://cdn.example/x", Some("https://cdn.example/x"));
        check("/x/y", Some("https://hub.example:8/x/y"));
        check("//cdn.example/x", Some("https://cdn.example/x"));
        check("x/y", None);
        check("file:///etc/passwd", None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://Hub.example/a"), "https://hub.example");
        assert_ne!(origin("https://hub.example"), origin("http://hub.example"));
        assert_ne!(origin("https://hub.example.evil/"), origin("https://hub.example/"));
        assert_ne!(origin("https://hub.example:1/"), origin("https://hub.example:2/"));
        // What comes before an `@` is no host.
        assert_ne!(origin("https://hub.example@evil/"), origin("https://hub.example/"));
    }

    #[test]
    fn addresses_say_what_was_asked_for() {
        let url = "https://hub.example/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true";
        assert_eq!(repository_of("https://hub.example", url), "a/b");
        assert_eq!(revision_of(url), "refs/pr/1");
        assert_eq!(
            repository_of("https://hub.example/hf", "https://hub.example/hf/a/b/resolve/main/x"),
            "a/b"
        );
    }
}
