//! A bucket on this machine that speaks as much of S3's protocol as workers need, and counts the requests. It creates objects if
//! absent as S3 does, one after another, which the servers that can be had for tests do not (s3s-fs looks first and then writes).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The name of the only bucket.
const BUCKET: &str = "bucket";

/// How many keys a listing has, few enough that there are several pages.
const PAGE: usize = 100;

/// The server; it ends with the process.
pub struct S3Server {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    requests: usize,
    /// The keys of the objects that were written, in order.
    written: Vec<String>,
    /// Every so many requests one is answered by an error, or carried out and not answered at all.
    fails_every: usize,
    /// No request is carried out or answered.
    gone: Option<Gone>,
    /// Objects are replaced that were to be created if absent.
    replaces: bool,
    /// What another worker does before a request.
    other: Option<OtherWorker>,
}

/// What happens to connections while no request is answered.
#[derive(Clone, Copy, PartialEq)]
pub enum Gone {
    Closed,
    /// They stay open, and nothing comes.
    Silent,
}

/// What another worker does, once.
pub enum OtherWorker {
    /// When a worker has begun to finish, another one has done so: it writes this as the log, marks the session as over, and removes
    /// the rows.
    Finishes(&'static str),
    /// When a worker is about to write the log, another one has done so, and later workers have written this.
    HasFinished(&'static str),
    /// When a worker is about to write the log, another one has written the same but for the last row, and was killed.
    WasKilled,
}

struct Request {
    method: String,
    /// Without the bucket.
    key: Option<String>,
    query: BTreeMap<String, String>,
    /// The access key that it is signed with.
    signed_by: String,
    create: bool,
    /// The e-tag that the object must have.
    replaces: Option<String>,
    body: Vec<u8>,
}

impl S3Server {
    pub fn start(fails_every: usize) -> S3Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { fails_every, ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                stream.set_nodelay(true).unwrap();
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        S3Server { port, state }
    }

    /// The variables of the environment with which it is found.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ]
    }

    /// Stops answering requests.
    pub fn goes(&self, gone: Gone) {
        self.state.lock().unwrap().gone = Some(gone);
    }

    /// Answers again.
    pub fn comes_back(&self) {
        self.state.lock().unwrap().gone = None;
    }

    /// From now on it replaces objects that were to be created if absent, as some stores do.
    pub fn replaces(&self) {
        self.state.lock().unwrap().replaces = true;
    }

    /// Lets another worker do something at its time.
    pub fn beside(&self, other: OtherWorker) {
        self.state.lock().unwrap().other = Some(other);
    }

    /// Writes an object.
    pub fn put(&self, key: &str, content: &str) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), content.as_bytes().to_vec());
    }

    /// An object that is a text.
    pub fn get(&self, key: &str) -> String {
        String::from_utf8(self.state.lock().unwrap().objects[key].clone()).unwrap()
    }

    pub fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// How often objects were written whose keys end so.
    pub fn written(&self, end: &str) -> usize {
        self.state.lock().unwrap().written.iter().filter(|key| key.ends_with(end)).count()
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let gone = state.lock().unwrap().gone;
        if let Some(gone) = gone {
            // The client closes it.
            let _ = gone == Gone::Silent && reader.read(&mut [0]).is_ok();
            return;
        }
        let mut state = state.lock().unwrap();
        state.requests += 1;
        let number = state.requests;
        let fails = state.fails_every > 0 && number.is_multiple_of(state.fails_every);
        if fails && number.is_multiple_of(2) {
            drop(state);
            respond(stream, &request.method, 503, &[], "");
            continue;
        }
        let (status, body) = answer(&mut state, &request);
        let tag = request.key.as_ref().and_then(|key| state.objects.get(key)).map(|object| e_tag(object));
        drop(state);
        if fails {
            return;
        }
        respond(stream, &request.method, status, &body, &tag.unwrap_or_default());
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut create, mut replaces, mut signed_by) = (0, false, None, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "if-none-match" => create = value.trim() == "*",
            "if-match" => replaces = Some(value.trim().to_owned()),
            "authorization" => {
                let key = value.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
                signed_by = key.unwrap_or_default().to_owned();
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], ""));
    let query = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    let key = (bucket == BUCKET).then(|| decoded(key));
    Some(Request { method, key, query, signed_by, create, replaces, body })
}

fn answer(state: &mut State, request: &Request) -> (u16, Vec<u8>) {
    let error = |status: u16, code: &str| {
        (status, format!("<Error><Code>{code}</Code><Message>…</Message></Error>").into_bytes())
    };
    let reads = matches!(request.method.as_str(), "GET" | "HEAD");
    match request.signed_by.as_str() {
        "key" => {}
        "reader" if reads => {}
        "reader" => return error(403, "AccessDenied"),
        "with-another-secret" => return error(403, "SignatureDoesNotMatch"),
        "expired" => return error(400, "ExpiredToken"),
        _ => return error(403, "InvalidAccessKeyId"),
    }
    let Some(key) = &request.key else { return error(404, "NoSuchBucket") };
    match request.method.as_str() {
        "PUT" => {
            if key.ends_with("/log.csv") {
                write_log_before(state, key, &request.body);
            }
            let found = state.objects.get(key);
            match &request.replaces {
                Some(_) if found.is_none() => return error(404, "NoSuchKey"),
                Some(tag) if found.is_some_and(|found| e_tag(found) != *tag) => return (412, Vec::new()),
                None if request.create && !state.replaces && found.is_some() => return (412, Vec::new()),
                _ => {}
            }
            state.objects.insert(key.clone(), request.body.clone());
            state.written.push(key.clone());
            if let (Some(session), Some(OtherWorker::Finishes(log))) =
                (key.strip_suffix("finish/1"), &state.other)
            {
                let run = session.split("/.share/").next().unwrap_or_default();
                state.objects.insert(format!("{run}/log.csv"), log.as_bytes().to_vec());
                state.objects.insert(format!("{session}finished"), Vec::new());
                state.objects.retain(|key, _| !key.starts_with(&format!("{session}rows/")));
                state.other = None;
            }
            (200, Vec::new())
        }
        "POST" => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let mut deleted = String::new();
            for key in body.split("<Key>").skip(1).filter_map(|part| part.split("</Key>").next()) {
                state.objects.remove(key);
                deleted += &format!("<Deleted><Key>{key}</Key></Deleted>");
            }
            (200, format!("<DeleteResult>{deleted}</DeleteResult>").into_bytes())
        }
        _ if key.is_empty() => (200, list(state, &request.query).into_bytes()),
        _ => state.objects.get(key).map_or(error(404, "NoSuchKey"), |object| (200, object.clone())),
    }
}

/// What another worker writes before a log is written.
fn write_log_before(state: &mut State, key: &str, log: &[u8]) {
    match state.other.take() {
        Some(OtherWorker::HasFinished(later)) => {
            let run = key.trim_end_matches("/log.csv");
            state.objects.insert(key.to_owned(), later.as_bytes().to_vec());
            for session in [1, 2] {
                state.objects.insert(format!("{run}/.share/{session}/finished"), Vec::new());
            }
        }
        Some(OtherWorker::WasKilled) => {
            let rows = &log[..log.len() - 1];
            let end = rows.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            state.objects.insert(key.to_owned(), log[..end].to_vec());
        }
        other => state.other = other,
    }
}

/// The e-tag of an object, which differs between contents.
fn e_tag(object: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    format!("\"{:x}\"", hasher.finish())
}

fn list(state: &State, query: &BTreeMap<String, String>) -> String {
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let (prefix, delimiter, after) = (text("prefix"), text("delimiter"), text("continuation-token"));
    let (mut keys, mut folders, mut next) = (String::new(), std::collections::BTreeSet::new(), None);
    let mut count = 0;
    for key in state.objects.keys().filter(|key| key.starts_with(&prefix) && **key > after) {
        if count == PAGE {
            break;
        }
        count += 1;
        next = Some(key);
        match key[prefix.len()..].split_once('/') {
            Some((folder, _)) if !delimiter.is_empty() => {
                folders.insert(format!("{prefix}{folder}/"));
            }
            _ => {
                let size = state.objects[key].len();
                keys += &format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"e\"</ETag><Size>{size}</Size></Contents>"
                );
            }
        }
    }
    let folders: String = folders
        .iter()
        .map(|name| format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"))
        .collect();
    let more = match next {
        Some(last) if count == PAGE => {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>")
        }
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!("<ListBucketResult><Name>{BUCKET}</Name>{more}{keys}{folders}</ListBucketResult>")
}

fn respond(mut stream: &TcpStream, method: &str, status: u16, body: &[u8], tag: &str) {
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nETag: {tag}\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
        body.len()
    );
    let body = if method == "HEAD" { &[] } else { body };
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// Undoes percent encoding.
fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap()
}
