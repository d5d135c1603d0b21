//! Requests: redirects, the token, and errors by status.
//!
//! Redirects are followed here rather than by the HTTP library, because the hub sends a large file's size and hash with
//! the redirect itself, and because the token must never be sent to another host.

use crate::{Environment, HubError};
use maquette_files::limits;
use std::io::Read;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// How long to wait for a silent connection.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is retried after a transient failure.
const MAX_RETRIES: u32 = 4;
const REDIRECTS: usize = 6;
/// The longest answer that is read into memory (lists and small files), in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// A client of one hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    /// The wait before the first retry; doubled each time.
    retry_delay: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Get,
    Head,
}

impl Client {
    pub fn new(environment: &Environment, retry_delay: Duration) -> Result<Client, HubError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("maquette/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(TIMEOUT))
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(TIMEOUT));
        if let Some(file) = &environment.certificates {
            let pem = maquette_files::read(file, limits::CERTIFICATES)
                .map_err(|_| HubError::Certificates(file.clone()))?;
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
            retry_delay,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn sends_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads a whole answer into memory.
    pub fn get(&self, url: &str) -> Result<Vec<u8>, HubError> {
        self.retry(|| {
            let response = self.body(url, 0)?;
            let mut bytes = Vec::new();
            let read = response.into_body().into_reader().take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes);
            read.map_err(|error| unreachable(url, error.into()))?;
            if bytes.len() as u64 > MAX_ANSWER_BYTES {
                let reason = format!("it has more than {} MiB", MAX_ANSWER_BYTES >> 20);
                return Err(HubError::Nonsense { url: url.to_owned(), reason });
            }
            Ok(bytes)
        })
    }

    /// A file's headers: the answer to HEAD, following redirects as long as they stay at the hub.
    pub fn head(&self, url: &str) -> Result<Response<Body>, HubError> {
        self.retry(|| self.follow(Method::Head, url, None))
    }

    /// The content of a file from byte `from` on, without retries.
    pub fn body(&self, url: &str, from: u64) -> Result<Response<Body>, HubError> {
        let range = format!("bytes={from}-");
        self.follow(Method::Get, url, (from > 0).then_some(&*range))
    }

    /// Retries `request` while its failures are transient.
    pub fn retry<T>(&self, mut request: impl FnMut() -> Result<T, HubError>) -> Result<T, HubError> {
        let mut tries = 0;
        loop {
            match request() {
                Err(error) if error.is_transient() && tries < MAX_RETRIES => self.wait(&mut tries),
                outcome => return outcome,
            }
        }
    }

    /// Waits before another try, longer each time, and counts it.
    pub fn wait(&self, tries: &mut u32) {
        std::thread::sleep(self.retry_delay * 2u32.saturating_pow(*tries));
        *tries += 1;
    }

    pub fn may_try_again(tries: u32) -> bool {
        tries < MAX_RETRIES
    }

    fn follow(&self, method: Method, url: &str, range: Option<&str>) -> Result<Response<Body>, HubError> {
        let home = origin(&self.endpoint);
        let mut at = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = match method {
                Method::Get => self.agent.get(&at),
                Method::Head => self.agent.head(&at),
            };
            // Without compression the sizes are those of the files.
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
            let next =
                location.and_then(|location| absolute(&at, &location)).ok_or_else(|| HubError::Nonsense {
                    url: url.to_owned(),
                    reason: "it redirects to an invalid address".to_owned(),
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

    /// The response, or the error for its status.
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
            // Without a valid token the hub answers 401 for what does not exist.
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

/// The absolute address of a redirect.
fn absolute(from: &str, location: &str) -> Option<String> {
    let scheme = from.split("://").next()?;
    match location {
        there if there.starts_with("http://") || there.starts_with("https://") => Some(there.to_owned()),
        there if there.starts_with("//") => Some(format!("{scheme}:{there}")),
        there if there.starts_with('/') => Some(origin(from) + there),
        _ => None,
    }
}

/// `owner/name` from an address built by this crate.
fn repository_of(endpoint: &str, url: &str) -> String {
    let path = url.strip_prefix(endpoint).unwrap_or(url).trim_start_matches('/');
    let path = path.strip_prefix("api/models/").unwrap_or(path);
    path.split('/').take(2).collect::<Vec<_>>().join("/")
}

/// The revision from an address built by this crate.
fn revision_of(url: &str) -> String {
    let after = url.split_once("/revision/").or_else(|| url.split_once("/resolve/"));
    let revision = after.map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    revision.replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved() {
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
        // What comes before an `@` is not a host.
        assert_ne!(origin("https://hub.example@evil/"), origin("https://hub.example/"));
    }

    #[test]
    fn addresses_contain_repository_and_revision() {
        let url = "https://hub.example/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true";
        assert_eq!(repository_of("https://hub.example", url), "a/b");
        assert_eq!(revision_of(url), "refs/pr/1");
        assert_eq!(
            repository_of("https://hub.example/hf", "https://hub.example/hf/a/b/resolve/main/x"),
            "a/b"
        );
    }
}
