//! Requests from other programs and other sites: paths in every encoding, methods, bodies, headers, and connections that say
//! nothing.

use crate::client::Review;
use std::io::{Read, Write};
use std::path::Path;

/// What must never be answered.
const SECRET: &str = "classified";

#[test]
fn no_encoding_of_a_path_leaves_the_run() {
    let review = Review::new();
    std::fs::write(review.folder.path().join("secret.png"), SECRET).unwrap();
    std::fs::write(review.run.dir().join("log.secret.csv"), SECRET).unwrap();
    let ups = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "..;",
        "%c0%ae%c0%ae",
        "\u{ff0e}\u{ff0e}",
        ".%09.",
    ];
    let slashes = ["/", "%2f", "%2F", "\\", "%5c", "%255c", "//", "/./", "%c0%af"];
    let absolute = review.folder.path().join("secret.png").display().to_string();
    let mut paths: Vec<String> = Vec::new();
    for up in ups {
        for slash in slashes {
            let leave = |times: usize| format!("{up}{slash}").repeat(times);
            for folder in ["images", "page", "references", "sheets"] {
                paths.push(format!("{folder}{slash}{}log.secret.csv", leave(1)));
                paths.push(format!("{folder}{slash}{}secret.png", leave(4)));
            }
            paths.push(format!("{}secret.png", leave(3)));
        }
    }
    paths.push(format!("images/{absolute}"));
    paths.push(format!("images/{}", absolute.replace('/', "%2f")));
    paths.push(format!("images/file:{absolute}"));
    paths.extend(
        ["images/C:%5csecret.png", "images/secret.png::$DATA", "images/CON", "images/%00", "images/%ff"]
            .map(str::to_owned),
    );
    for path in &paths {
        let answer = review.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains(SECRET), "{path}");
    }
    // In the names of the run and the cell, too.
    let token = review.path.split('/').nth(1).unwrap();
    for path in ["../..", "%2e%2e/1", "e/..%2f1", "e/1%2f..", "e/01", "e/+1", "e/1e0", "E/1", "e%00/1"] {
        let answer = review.raw("GET", &format!("/{token}/{path}/log.secret.csv"), &[], None);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
    for cell in ["..%2f..%2fpicks.toml", "..", "%2e%2e", &"g".repeat(64), &format!("{}%00", review.cells[0])]
    {
        let path = format!("api/picks/{cell}");
        let answer = review.send("PUT", &path, Some(serde_json::json!({ "mark": "pick" })));
        assert!(matches!(answer.status, 400 | 404), "{cell}: {}", answer.status);
    }
    assert!(!review.run.dir().join("picks.toml").exists());
}

#[test]
fn every_way_of_another_site_to_write_is_refused() {
    let review = Review::new();
    let votes = format!("{}api/votes", review.path);
    let vote = format!(r#"{{"left":"{}","right":"{}","choice":"tie"}}"#, review.cells[0], review.cells[1]);
    let post =
        |method: &str, headers: &[(&str, &str)]| review.raw(method, &votes, headers, Some(&vote)).status;
    // A form sends one of three types, and cannot send JSON.
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"]
    {
        assert_eq!(post("POST", &[("Content-Type", kind)]), 415, "{kind}");
    }
    // What `fetch` with JSON, a beacon and a redirect say about themselves.
    let port = review.host.split(':').nth(1).unwrap();
    let origins = [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1",
        "http://localhost:1",
        "file://",
        "",
    ];
    for origin in origins {
        assert_eq!(post("POST", &[("Origin", origin)]), 403, "{origin}");
    }
    assert_eq!(post("POST", &[("Origin", &format!("http://127.0.0.1:{port}.evil.example"))]), 403);
    assert_eq!(post("POST", &[("Origin", &format!("https://127.0.0.1:{port}"))]), 403);
    // The other name of this machine is another origin.
    assert_eq!(post("POST", &[("Origin", &format!("http://localhost:{port}"))]), 403);
    for site in ["cross-site", "same-site", "none", ""] {
        assert_eq!(post("POST", &[("Sec-Fetch-Site", site)]), 403, "{site}");
    }
    // Names that lead to this machine, in every form but the two that are served.
    for host in [
        "0.0.0.0",
        "[::1]",
        "127.1",
        "2130706433",
        "127.0.0.1.",
        "localhost.",
        "evil.example",
        "LOCALHOST.evil",
    ] {
        assert_eq!(post("POST", &[("Host", &format!("{host}:{port}"))]), 403, "{host}");
        let read = review.raw("GET", &review.path, &[("Host", &format!("{host}:{port}"))], None);
        assert_eq!(read.status, 403, "{host}");
    }
    let twice = [("Host", review.host.as_str()), ("Host", "evil.example")];
    assert!(matches!(post("POST", &twice), 400 | 403));
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "GET"] {
        assert!(matches!(post(method, &[]), 200 | 400 | 404 | 405 | 415), "{method}");
    }
    assert_eq!(review.run.votes().unwrap().votes.len(), 0);
    assert_eq!(post("POST", &[]), 200);
}

#[test]
fn another_site_cannot_embed_what_is_served() {
    let review = Review::new();
    let image = review.run.log().unwrap()[0].image().unwrap().to_owned();
    let path = format!("{}{image}", review.path);
    let get = |site: &str, mode: &str| {
        review.raw("GET", &path, &[("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)], None).status
    };
    assert_eq!(get("same-origin", "no-cors"), 200);
    assert_eq!(get("none", "navigate"), 200);
    // A link in another page may be followed.
    assert_eq!(get("cross-site", "navigate"), 200);
    for mode in ["no-cors", "cors", "websocket", ""] {
        assert_eq!(get("cross-site", mode), 403, "{mode}");
        assert_eq!(get("same-site", mode), 403, "{mode}");
    }
    let answer = review.raw("GET", &path, &[], None);
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
}

#[test]
fn large_requests_are_refused() {
    let review = Review::new();
    let path = format!("api/picks/{}", review.cells[0]);
    let note = |bytes: usize| {
        review.send("PUT", &path, Some(serde_json::json!({ "note": "a".repeat(bytes) }))).status
    };
    assert_eq!(note(60 << 10), 200);
    assert_eq!(note(64 << 10), 413);
    // One of megabytes is not read to its end; the answer may be lost with the connection.
    let whole = format!("{}{path}", review.path);
    let head = |bytes: u64| {
        format!(
            "PUT {whole} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n",
            review.host
        )
    };
    let mut stream = review.connect();
    let sent = stream.write_all(format!("{}{}", head(8 << 20), "a".repeat(8 << 20)).as_bytes());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(sent.is_err() || read.is_err() || answer.starts_with(b"HTTP/1.1 413"), "{answer:?}");
    // Nested deeper than JSON is read.
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(review.raw("PUT", &whole, &[], Some(&deep)).status, 400);
    // A length that nothing follows must not reserve memory.
    let mut stream = review.connect();
    stream.write_all(head(999_999_999_999).as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    // A head without an end.
    let mut stream = review.connect();
    let mut sent =
        stream.write_all(format!("GET {} HTTP/1.1\r\nHost: {}\r\n", review.path, review.host).as_bytes());
    for number in 0..100_000 {
        sent = sent.and_then(|()| stream.write_all(format!("X-{number}: aaaaaaaaaaaaaaaa\r\n").as_bytes()));
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(sent.is_err() || read.is_err() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    review.get("api/picks").status(200);
}

#[test]
fn slow_requests_do_not_keep_others_waiting() {
    let review = Review::new();
    let starts = [
        String::new(),
        "GET".to_owned(),
        format!("GET {} HTTP/1.1\r\nHost: ", review.path),
        format!(
            "PUT {}api/picks/{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{{",
            review.path, review.cells[0], review.host
        ),
    ];
    let mut open = Vec::new();
    for number in 0..80 {
        let mut stream = review.connect();
        stream.write_all(starts[number % starts.len()].as_bytes()).unwrap();
        open.push(stream);
    }
    review.get("").status(200);
    review
        .send("PUT", &format!("api/picks/{}", review.cells[1]), Some(serde_json::json!({ "mark": "pick" })))
        .status(200);
    assert_eq!(review.run.picks().unwrap().cells.len(), 1);
}

#[cfg(unix)]
#[test]
fn the_page_and_its_folders_may_not_be_links_out_of_the_run() {
    use std::os::unix::fs::symlink;
    let review = Review::new();
    let outside = review.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("x.png"), SECRET).unwrap();
    std::fs::write(outside.join("index.html"), SECRET).unwrap();
    let dir = review.run.dir();
    symlink(&outside, dir.join("sheets")).unwrap();
    std::fs::remove_file(dir.join("index.html")).unwrap();
    symlink(outside.join("index.html"), dir.join("index.html")).unwrap();
    for path in ["sheets/x.png", ""] {
        let answer = review.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains(SECRET), "{path}");
    }
    assert!(Path::new(dir).is_dir());
}
