//! A hub in a thread: the routes that huggingface_hub and Maquette use, over a folder, with faults on request.
//!
//! Safetensors are large files, as on the real hub: HEAD returns their SHA-256, and GET redirects to another host
//! (`localhost` for `127.0.0.1`), which must not see the token.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The commit of the branch `main`.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The only repository.
pub const REPOSITORY: &str = "tester/tiny";

/// A fault in the next response for a path.
#[allow(dead_code, reason = "some are for the tests of crates/hub alone")]
#[derive(Debug, Clone)]
pub enum Fault {
    /// The body ends after that many bytes.
    Cut(usize),
    /// A status with an error code of the hub.
    Status(u16, &'static str),
    /// A web page instead.
    Page,
    /// The body is announced and sent with that many extra bytes.
    Longer(usize),
    /// One byte is changed.
    Flipped,
    /// The whole body is sent, whatever range was requested.
    NoRange,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The `Host` header.
    pub host: String,
    pub path: String,
    pub headers: HashMap<String, String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    faults: HashMap<String, VecDeque<Fault>>,
    requests: Vec<Request>,
    /// The token that requests must send.
    token: Option<String>,
    gated: bool,
}

/// A hub with one repository. It ends with the test's process.
#[derive(Clone)]
pub struct HubServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl HubServer {
    /// Serves every file below a folder.
    pub fn of(folder: &Path) -> HubServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files);
        let state = State { files, ..State::default() };
        let server = HubServer { port, state: Arc::new(Mutex::new(state)) };
        let here = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let here = here.clone();
                std::thread::spawn(move || here.answer(&stream));
            }
        });
        server
    }

    /// The value for `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds faults to the next responses to GET requests whose path ends with `path`, one each.
    pub fn break_next(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), faults.into_iter().collect());
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        self.state.lock().unwrap().files.insert(name.to_owned(), content.to_owned());
    }

    pub fn remove(&self, name: &str) {
        self.state.lock().unwrap().files.remove(name).unwrap();
    }

    pub fn want_token(&self, token: &str, gated: bool) {
        let mut state = self.state.lock().unwrap();
        (state.token, state.gated) = (Some(token.to_owned()), gated);
    }

    pub fn file(&self, name: &str) -> Vec<u8> {
        self.state.lock().unwrap().files[name].clone()
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The requests with that method whose path ends with `path`.
    pub fn asked_for(&self, method: &str, path: &str) -> Vec<Request> {
        self.asked()
            .into_iter()
            .filter(|request| request.method == method && request.path.ends_with(path))
            .collect()
    }

    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next()?.ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers: HashMap<String, String> = lines
            .map_while(|line| line.ok().filter(|line| !line.is_empty()))
            .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())))
            .collect();
        let host = headers.get("host").cloned().unwrap_or_default();
        let request = Request { method, host, path, headers };
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(request.clone());
            self.answer_to(&request, &mut state)
        };
        let mut stream = stream;
        stream.write_all(answer.head().as_bytes()).ok()?;
        if request.method == "GET" {
            stream.write_all(&answer.body[..answer.sent.unwrap_or(answer.body.len())]).ok()?;
        }
        stream.flush().ok()
    }

    fn answer_to(&self, request: &Request, state: &mut State) -> Answer {
        let path = request.path.split('?').next().unwrap();
        let faults = state.faults.iter_mut().find(|(ending, faults)| {
            request.method == "GET" && !faults.is_empty() && path.ends_with(ending.as_str())
        });
        let fault = faults.and_then(|(_, faults)| faults.pop_front());
        let mut answer = match fault {
            Some(Fault::Status(status, code)) => return Answer::refusal(status, code),
            Some(Fault::Page) => return Answer::ok(b"<html>Please log in</html>".to_vec()),
            Some(Fault::NoRange) => self.right_answer(request, path, state, false),
            _ => self.right_answer(request, path, state, true),
        };
        match fault {
            Some(Fault::Cut(after)) => answer.sent = Some(after.min(answer.body.len())),
            Some(Fault::Longer(more)) => answer.body.extend(vec![b' '; more]),
            Some(Fault::Flipped) => answer.body[0] ^= 1,
            _ => {}
        }
        answer
    }

    fn right_answer(&self, request: &Request, path: &str, state: &State, ranges: bool) -> Answer {
        let at_hub = request.host.starts_with("127.0.0.1");
        let known = state.token.as_ref().is_none_or(|token| {
            request.headers.get("authorization").is_some_and(|sent| *sent == format!("Bearer {token}"))
        });
        if let Some(rest) = path.strip_prefix("/api/models/") {
            let Some(revision) = rest.strip_prefix(&format!("{REPOSITORY}/revision/")) else {
                return Answer::refusal(404, "RepoNotFound");
            };
            return match revision {
                "main" | COMMIT | "refs%2Fpr%2F1" if known || state.gated => {
                    Answer::ok(listing(&state.files).into_bytes())
                }
                "main" => Answer::refusal(401, "RepoNotFound"),
                _ => Answer::refusal(404, "RevisionNotFound"),
            };
        }
        let (content, name) = match path.strip_prefix("/cdn/") {
            Some(name) if !at_hub => (state.files.get(name), name),
            _ => {
                let rest = path.strip_prefix(&format!("/{REPOSITORY}/resolve/")).unwrap_or_default();
                let Some((revision, name)) = rest.split_once('/') else {
                    return Answer::refusal(404, "RepoNotFound");
                };
                if !known {
                    return Answer::refusal(
                        if state.gated { 403 } else { 401 },
                        if state.gated { "GatedRepo" } else { "" },
                    );
                }
                if !["main", COMMIT].contains(&revision) {
                    return Answer::refusal(404, "RevisionNotFound");
                }
                (state.files.get(name), name)
            }
        };
        let Some(content) = content else { return Answer::refusal(404, "EntryNotFound") };
        let mut answer = Answer::ok(content.clone());
        let sha = hex(content);
        answer.header("x-repo-commit", COMMIT);
        if name.ends_with(".safetensors") && at_hub {
            answer.header("x-linked-etag", &format!("\"{sha}\""));
            answer.header("x-linked-size", &content.len().to_string());
            answer.header("location", &format!("http://localhost:{}/cdn/{name}", self.port));
            (answer.status, answer.body) = (302, Vec::new());
            return answer;
        }
        answer.header("etag", &format!("\"{}\"", if at_hub { &sha[..40] } else { "of-the-cdn" }));
        let range = request.headers.get("range").filter(|_| ranges);
        if let Some(from) =
            range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        {
            let from: usize = from;
            answer.status = 206;
            answer.header("content-range", &format!("bytes {from}-{}/{}", content.len() - 1, content.len()));
            answer.body.drain(..from);
        }
        answer
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    /// How many bytes of the body are sent before the connection is cut.
    sent: Option<usize>,
}

impl Answer {
    fn ok(body: Vec<u8>) -> Answer {
        Answer { status: 200, headers: String::new(), body, sent: None }
    }

    fn refusal(status: u16, code: &str) -> Answer {
        let mut answer = Answer { status, ..Answer::ok(b"{\"error\":\"no\"}".to_vec()) };
        answer.header("x-error-code", code);
        answer
    }

    fn header(&mut self, name: &str, value: &str) {
        self.headers += &format!("{name}: {value}\r\n");
    }

    fn head(&self) -> String {
        let Answer { status, headers, body, .. } = self;
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len())
    }
}

/// The response to `/api/models/…?blobs=true`.
fn listing(files: &BTreeMap<String, Vec<u8>>) -> String {
    let siblings: Vec<String> = files
        .iter()
        .map(|(name, content)| format!(r#"{{"rfilename":"{name}","size":{},"blobId":"x"}}"#, content.len()))
        .collect();
    format!(
        r#"{{"id":"{REPOSITORY}","sha":"{COMMIT}","gated":false,"cardData":{{"license":"creativeml-openrail-m"}},
        "tags":["diffusers"],"siblings":[{}]}}"#,
        siblings.join(",")
    )
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            let mut content = Vec::new();
            fs::File::open(&path).unwrap().read_to_end(&mut content).unwrap();
            files.insert(name, content);
        }
    }
}
