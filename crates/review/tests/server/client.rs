//! A served run, and a client that sends any request.

use maquette::{Experiment, Renderer, Run, RunOptions, Stop, Workspace};
use maquette_review::{ReviewError, Server, ServerOptions, StopHandle};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// A served run of four cells.
pub struct Review {
    pub folder: TempDir,
    pub run: Run,
    pub cells: Vec<String>,
    pub host: String,
    /// The path of the run's page.
    pub path: String,
    stop: StopHandle,
    thread: Option<JoinHandle<Result<(), ReviewError>>>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Review {
    pub fn new() -> Review {
        Review::of(&["e"])
    }

    pub fn of(names: &[&str]) -> Review {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path().join("runs")).unwrap().with_renderer(Renderer::Fake);
        for name in names {
            let file = folder.path().join(format!("{name}.toml"));
            let toml = "title = \"<b>Cats</b>\"\nprompt = \"a cat\"\nwidth = 16\nheight = 16\n[sweep]\nseed = { count = 4 }\n";
            std::fs::write(&file, toml).unwrap();
            let options = RunOptions { sheets: false, ..RunOptions::default() };
            workspace.run(&Experiment::at(&file), &options, &Stop::new(), &mut |_| {}).unwrap();
        }
        Review::serve(folder, &workspace, names)
    }

    pub fn serve(folder: TempDir, workspace: &Workspace, names: &[&str]) -> Review {
        Review::serve_with(folder, workspace, names, &ServerOptions::default())
    }

    pub fn serve_with(
        folder: TempDir,
        workspace: &Workspace,
        names: &[&str],
        options: &ServerOptions,
    ) -> Review {
        let run = workspace.runs().find(names[0]).unwrap();
        write(&run, "index.html", "<!doctype html><title>page</title>");
        write(&run, "page/app.css", "body {}");
        write(&run, "page/state.js", "maquetteState('1')");
        let queries: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let server = Server::open(workspace, &queries, options, &mut |_| {}).unwrap();
        let url = server.url();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let (host, path) = (host.to_owned(), format!("/{path}"));
        let stop = server.stop_handle();
        let thread = Some(std::thread::spawn(move || server.run()));
        let plan = run.plan().unwrap();
        let cells = (0..plan.len()).map(|index| plan.id(index).unwrap().to_string()).collect();
        Review { folder, run, cells, host, path, stop, thread }
    }

    /// Sends a request with the headers of the page itself.
    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let origin = format!("http://{}", self.host);
        let headers = [("Origin", &*origin), ("Sec-Fetch-Site", "same-origin")];
        self.raw(
            method,
            &format!("{}{path}", self.path),
            &headers,
            body.map(|body| body.to_string()).as_deref(),
        )
    }

    pub fn get(&self, path: &str) -> Answer {
        self.raw("GET", &format!("{}{path}", self.path), &[], None)
    }

    /// Sends a request; a header that is given replaces its default.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let given = |name: &str| headers.iter().any(|(known, _)| *known == name);
        if !given("Host") {
            text += &format!("Host: {}\r\n", self.host);
        }
        if let Some(body) = body {
            text += &format!("Content-Length: {}\r\n", body.len());
            if !given("Content-Type") {
                text += "Content-Type: application/json\r\n";
            }
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut stream = self.connect();
        stream.write_all(format!("{text}\r\n{}", body.unwrap_or_default()).as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// The lines of the event stream.
    pub fn events(&self) -> impl Iterator<Item = String> + use<> {
        let mut stream = self.connect();
        let request = format!("GET {}api/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.path, self.host);
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream).lines().map(Result::unwrap)
    }

    pub fn stop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Review {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Answer {
    #[track_caller]
    pub fn status(self, expected: u16) -> Answer {
        assert_eq!(self.status, expected, "{}\n{}", self.head, self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

/// Writes a file of a run.
pub fn write(run: &Run, name: &str, text: &str) {
    let path = run.dir().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
