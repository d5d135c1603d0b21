//! The review server over real HTTP on the loopback address.

mod client;
mod hostile;
mod masks;
mod sam;

use crate::client::{Review, write};
use maquette::{Choice, Experiment, Mark, Renderer, RunOptions, Stop, Workspace};
use maquette_review::{Server, ServerOptions};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn picks_are_read_and_written() {
    let review = Review::new();
    let picks = review.get("api/picks").status(200).json();
    assert_eq!((&picks["cells"], &picks["problems"]), (&json!({}), &json!([])));
    let [first, second] = [&review.cells[0], &review.cells[1]];
    let put = |cell: &str, body: Value| review.send("PUT", &format!("api/picks/{cell}"), Some(body));
    assert_eq!(put(first, json!({ "mark": "pick" })).status(200).json(), json!({ "mark": "pick" }));
    let noted = json!({ "mark": "pick", "note": "the <eyes>" });
    assert_eq!(put(first, json!({ "note": "the <eyes>" })).status(200).json(), noted);
    put(second, json!({ "mark": "reject" })).status(200);
    assert_eq!(put(second, json!({ "mark": null })).status(200).json(), json!({}));
    let after = review.get("api/picks").status(200).json();
    assert_eq!(after["cells"], json!({ first.as_str(): noted }));
    assert_ne!(after["revision"], picks["revision"]);
    assert_eq!(review.run.picks().unwrap().marked(Mark::Pick).count(), 1);

    // Edits by hand are seen at once.
    write(&review.run, "picks.toml", &format!("[cells.{second}]\nmark = \"pick\"\n[cells.x]\n"));
    let edited = review.get("api/picks").status(200).json();
    assert_eq!(edited["cells"], json!({ second.as_str(): { "mark": "pick" } }));
    assert!(edited["problems"][0].as_str().unwrap().starts_with("`x` in picks.toml"), "{edited}");

    for (body, expected) in [
        (json!({ "mark": "best" }), 400),
        (json!({ "stars": 3 }), 400),
        (json!({ "note": 3 }), 400),
        (json!("pick"), 400),
    ] {
        let text = body.to_string();
        let answer = put(first, body).status(expected);
        assert!(answer.text().starts_with("the request is not understood: "), "{text}: {}", answer.text());
    }
    put(&"0".repeat(64), json!({ "mark": "pick" })).status(404);
    put("xyz", json!({ "mark": "pick" })).status(404);

    write(&review.run, "picks.toml", "[cells\n");
    let broken = review.get("api/picks").status(200).json();
    assert!(broken["problems"][0].as_str().unwrap().contains("is not TOML, line 1"), "{broken}");
    let refused = put(first, json!({ "mark": "pick" })).status(409);
    assert!(refused.text().contains("is not TOML"), "{}", refused.text());
    assert_eq!(std::fs::read_to_string(review.run.dir().join("picks.toml")).unwrap(), "[cells\n");
}

#[test]
fn votes_are_read_added_and_removed() {
    let review = Review::new();
    let vote = |left: usize, right: usize, choice: &str| json!({ "left": review.cells[left], "right": review.cells[right], "choice": choice });
    let votes = || review.get("api/votes").status(200).json()["votes"].clone();
    assert_eq!(votes(), json!([]));
    let (one, other) = (vote(0, 1, "left"), vote(2, 1, "bad"));
    review.send("POST", "api/votes", Some(one.clone())).status(200);
    review.send("POST", "api/votes", Some(other.clone())).status(200);
    assert_eq!(votes(), json!([one, other]));
    assert_eq!(review.send("DELETE", "api/votes/last", None).status(200).json(), other);
    assert_eq!(votes(), json!([one]));
    review.send("DELETE", "api/votes/last", None).status(200);
    assert_eq!(review.send("DELETE", "api/votes/last", None).status(200).json(), Value::Null);
    review.send("POST", "api/votes", Some(vote(0, 1, "best"))).status(400);
    let elsewhere = json!({ "left": review.cells[0], "right": "0".repeat(64), "choice": "tie" });
    review.send("POST", "api/votes", Some(elsewhere)).status(404);
    assert_eq!(votes(), json!([]));
}

#[test]
fn two_browsers_at_once_lose_nothing() {
    let review = Review::new();
    std::thread::scope(|scope| {
        for (field, text) in [("mark", "pick"), ("note", "seen")] {
            let review = &review;
            scope.spawn(move || {
                for turn in 0..20 {
                    let path = format!("api/picks/{}", review.cells[turn % 4]);
                    review.send("PUT", &path, Some(json!({ field: text }))).status(200);
                    let vote = json!({ "left": review.cells[0], "right": review.cells[1], "choice": "tie" });
                    review.send("POST", "api/votes", Some(vote)).status(200);
                }
            });
        }
    });
    let picks = review.run.picks().unwrap();
    assert_eq!(picks.cells.len(), 4);
    assert!(
        picks
            .cells
            .values()
            .all(|pick| pick.mark == Some(Mark::Pick) && pick.note.as_deref() == Some("seen"))
    );
    let votes = review.run.votes().unwrap().votes;
    assert_eq!(votes.iter().filter(|vote| vote.choice == Choice::Tie).count(), 40);
}

#[test]
fn other_sites_are_refused() {
    let review = Review::new();
    let path = format!("{}api/picks/{}", review.path, review.cells[0]);
    let body = Some("{\"mark\":\"pick\"}");
    let put = |headers: &[(&str, &str)]| review.raw("PUT", &path, headers, body).status;
    // DNS rebinding: the name of another site resolves to this machine.
    assert_eq!(put(&[("Host", "evil.example")]), 403);
    assert_eq!(put(&[("Host", "127.0.0.1:1")]), 403);
    assert_eq!(review.raw("GET", &review.path, &[("Host", "evil.example")], None).status, 403);
    assert_eq!(put(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(put(&[("Origin", "null")]), 403);
    assert_eq!(put(&[("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(put(&[("Sec-Fetch-Site", "same-site")]), 403);
    // What a form of another site can send without asking.
    assert_eq!(put(&[("Content-Type", "text/plain")]), 415);
    assert_eq!(review.run.picks().unwrap().cells.len(), 0);
    assert_eq!(review.raw("OPTIONS", &path, &[("Origin", "http://evil.example")], None).status, 403);

    let port = review.host.split(':').nth(1).unwrap();
    assert_eq!(put(&[("Host", &format!("localhost:{port}"))]), 200);
    assert_eq!(put(&[("Content-Type", "application/json; charset=utf-8")]), 200);
    let wrong = review.path.replacen(&review.path[1..9], "00000000", 1);
    assert_eq!(review.raw("GET", &wrong, &[], None).status, 404);
    assert_eq!(review.raw("GET", "/", &[], None).status, 404);
}

#[test]
fn every_answer_restricts_what_a_page_may_do() {
    let review = Review::new();
    for path in ["", "api/picks", "nothing"] {
        let answer = review.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn only_files_of_the_page_are_served() {
    let review = Review::new();
    let page = review.get("").status(200);
    assert_eq!(
        (page.header("content-type"), page.header("cache-control")),
        (Some("text/html; charset=utf-8"), Some("no-store"))
    );
    assert!(page.text().contains("<title>"), "{}", page.text());
    let state = review.get("page/state.js").status(200);
    assert_eq!(state.header("cache-control"), Some("no-store"));

    let row = &review.run.log().unwrap()[0];
    let image = row.image().unwrap();
    let answer = review.get(image).status(200);
    assert_eq!(answer.body, std::fs::read(review.run.dir().join(image)).unwrap());
    assert_eq!(answer.header("content-type"), Some("image/png"));
    let tag = answer.header("etag").unwrap().to_owned();
    let again =
        review.raw("GET", &format!("{}{image}", review.path), &[("If-None-Match", &tag)], None).status(304);
    assert_eq!(again.body.len(), 0);
    let head = review.raw("HEAD", &format!("{}{image}", review.path), &[], None).status(200);
    assert_eq!(head.body.len(), 0);

    // The picture of a cell that has only a draft.
    write(&review.run, "drafts/d.png", "draft");
    assert_eq!(review.get("drafts/d.png").status(200).body, b"draft");
    // Of a training, its samples.
    write(&review.run, "trained/me-0a1b2c3d/samples/20-0.png", "sample");
    write(&review.run, "trained/me-0a1b2c3d/me-20.safetensors", "classified");
    assert_eq!(review.get("trained/me-0a1b2c3d/samples/20-0.png").status(200).body, b"sample");

    std::fs::write(review.folder.path().join("secret.png"), "classified").unwrap();
    for path in [
        "log.csv",
        "plan.json",
        "picks.lock",
        "images",
        "images/",
        "images/../log.csv",
        "images/..%2flog.csv",
        "images%2f..%2flog.csv",
        "images/%2e%2e/log.csv",
        "images/..\\log.csv",
        "../../../secret.png",
        "images//etc/passwd",
        "page/.hidden",
        "images/missing.png",
        "sheets/x.png",
        "trained/me-0a1b2c3d/me-20.safetensors",
        "trained/me-0a1b2c3d/samples/../me-20.safetensors",
        "trained/me-0a1b2c3d/samples",
    ] {
        let answer = review.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("classified"), "{path}");
    }
    #[cfg(unix)]
    {
        let secret = review.folder.path().join("secret.png");
        let images = review.run.dir().join("images");
        std::os::unix::fs::symlink(&secret, images.join("link.png")).unwrap();
        std::os::unix::fs::symlink(review.folder.path(), images.join("out")).unwrap();
        std::os::unix::fs::symlink(Path::new(image).file_name().unwrap(), images.join("inside.png")).unwrap();
        assert_eq!(review.get("images/link.png").status, 404);
        assert_eq!(review.get("images/out/secret.png").status, 404);
        assert_eq!(review.get("images/inside.png").status, 200);
    }
}

#[test]
fn several_runs_are_listed() {
    let review = Review::of(&["a", "b"]);
    let list = review.get("").status(200).text();
    assert!(list.contains("<a href=\"a/1/\">a@1</a> &lt;b&gt;Cats&lt;/b&gt;"), "{list}");
    assert!(list.contains("<a href=\"b/1/\">b@1</a>"), "{list}");
    review.get("a/1/").status(200);
    for name in ["a@1", "a@1/"] {
        let redirect = review.get(name).status(307);
        assert_eq!(redirect.header("location"), Some(&*format!("{}a/1/", review.path)));
    }
    review.get("b/1/api/picks").status(200);
    review.get("b/2/api/picks").status(404);
    review.get("c@1/").status(404);
    // One run: its page is the list.
    let one = Review::new();
    let above = one.path.trim_end_matches("e/1/").to_owned();
    assert_eq!(one.raw("GET", &above, &[], None).status(307).header("location"), Some("e/1/"));
}

#[test]
fn ancestors_are_served_with_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path().join("runs")).unwrap().with_renderer(Renderer::Fake);
    let parents = [("a", ""), ("b", "a@1"), ("c", "b@1"), ("d", "elsewhere@3")];
    for (name, parent) in parents {
        let parent = if parent.is_empty() {
            String::new()
        } else {
            format!("derived_from = {{ run = \"{parent}\" }}\n")
        };
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, format!("{parent}prompt = \"a cat\"\n")).unwrap();
        let options = RunOptions { sheets: false, ..RunOptions::default() };
        workspace.run(&Experiment::at(&file), &options, &Stop::new(), &mut |_| {}).unwrap();
    }
    let review = Review::serve(folder, &workspace, &["c", "d"]);
    let list = review.get("").status(200).text();
    assert!(list.contains(">c@1<") && list.contains(">d@1<") && !list.contains(">a@1<"), "{list}");
    for (run, expected) in [("a/1/", 200), ("b/1/", 200), ("c/1/", 200), ("elsewhere/3/", 404)] {
        review.get(&format!("{run}api/picks")).status(expected);
    }
}

#[test]
fn changes_of_the_files_are_events() {
    let review = Review::new();
    let (sender, events) = std::sync::mpsc::channel();
    let lines = review.events();
    std::thread::spawn(move || lines.for_each(|line| _ = sender.send(line)));
    let wait_for = |event: &str| {
        let begin = Instant::now();
        let mut name = String::new();
        loop {
            let line = events.recv_timeout(Duration::from_secs(30).saturating_sub(begin.elapsed())).unwrap();
            if let Some(new) = line.strip_prefix("event: ") {
                name = new.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ").filter(|_| name == event) {
                return serde_json::from_str::<Value>(data).unwrap();
            }
        }
    };
    assert_eq!((wait_for("picks"), wait_for("votes")), (json!({}), json!({})));
    let cell = review.cells[2].as_str();
    review.send("PUT", &format!("api/picks/{cell}"), Some(json!({ "mark": "pick" }))).status(200);
    assert_eq!(wait_for("picks"), json!({ "cell": cell, "pick": { "mark": "pick" } }));
    // By hand, or by another process.
    write(&review.run, "picks.toml", &format!("[cells.{}]\nnote = \"by hand\"\n", review.cells[1]));
    let mut both = [wait_for("picks"), wait_for("picks")];
    both.sort_by_key(|event| event["cell"] != review.cells[1].as_str());
    assert_eq!(both[0], json!({ "cell": review.cells[1], "pick": { "note": "by hand" } }));
    assert_eq!(both[1], json!({ "cell": cell, "pick": {} }));
    let vote = json!({ "left": review.cells[0], "right": review.cells[1], "choice": "tie" });
    review.send("POST", "api/votes", Some(vote)).status(200);
    assert_eq!(wait_for("votes"), json!({}));
    write(&review.run, "page/state.js", "maquetteState('another revision')");
    assert_eq!(wait_for("data"), json!({}));
}

#[test]
fn stopping_ends_open_connections() {
    let mut review = Review::new();
    let mut events = review.events();
    assert!(events.next().is_some());
    let begin = Instant::now();
    review.stop();
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(TcpStream::connect(&review.host).is_err(), "the port is free again");
}

#[test]
fn runs_and_ports_that_cannot_be_served_are_errors() {
    let review = Review::new();
    let workspace = Workspace::open(review.folder.path().join("runs")).unwrap().with_renderer(Renderer::Fake);
    let open = |run: &str, port: u16| {
        let options = ServerOptions { port, ..ServerOptions::default() };
        match Server::open(&workspace, &[run.to_owned()], &options, &mut |_| {}) {
            Ok(_) => panic!("it was served"),
            Err(error) => (error.to_string(), error.hint()),
        }
    };
    let (error, hint) = open("nothing", 0);
    assert!(error.starts_with("there is no run `nothing`"), "{error}");
    assert!(hint.unwrap().contains("e@1"));
    let port: u16 = review.host.split(':').nth(1).unwrap().parse().unwrap();
    let (error, hint) = open("e", port);
    assert_eq!(error, format!("cannot listen on 127.0.0.1:{port}"));
    assert!(hint.unwrap().contains("--port"));
    let plan = review.run.dir().join("plan.json");
    let written = std::fs::read_to_string(&plan).unwrap().replacen("\"format\": 1", "\"format\": 9", 1);
    std::fs::write(&plan, written).unwrap();
    assert!(open("e", 0).0.contains("has format 9"));
}
