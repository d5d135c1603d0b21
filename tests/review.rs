//! `maquette review`, `votes` and `next` on the real binary.

use crate::support::Workspace;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const CATS: &str = "prompt = \"a {thing}\"\n[sweep]\nthing = [\"cat\", \"dog\", \"crow\"]\nseed = [1, 2]\n";

/// A run of six cells, and their names in the grid's order.
fn started() -> (Workspace, Vec<String>) {
    let workspace = Workspace::new();
    workspace.write("cats.toml", CATS);
    workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--no-sheets"]).code(0);
    let log = workspace.read("runs/cats/1/log.csv");
    let cells = log.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect();
    (workspace, cells)
}

#[test]
fn votes_are_ranked() {
    let (workspace, cells) = started();
    let none = workspace.maquette(&["votes", "cats"]).code(0).stdout;
    assert_eq!(none, "cats@1: 0 votes\nnothing to rank yet\n");
    let vote =
        |left: usize, right: usize, choice: &str| format!("{},{},{choice}\n", cells[left], cells[right]);
    let votes =
        [vote(0, 2, "left").repeat(5), vote(2, 0, "left"), vote(4, 0, "tie"), vote(4, 2, "bad")].concat();
    workspace.write("runs/cats/1/votes.csv", format!("left,right,choice\n{votes}{},x", cells[0]));
    let ended = workspace.maquette(&["votes", "cats"]).code(0).says(&["warning: the last row of votes.csv"]);
    insta::assert_snapshot!(ended.stdout, @r"
    cats@1: 8 votes
    not counted: 1 (both bad)

    thing  strength  interval        votes
    cat    +0.55     +0.00 to +1.81  7
    crow   +0.39     +0.00 to +0.93  1
    dog    -0.95     -2.10 to +0.00  6
    about 2406 votes more for 95 % certainty that cat is ahead of crow

    strength: the mean is 0; a value that is 1 stronger wins 73 % of its votes. Intervals: 95 %, bootstrapped.
    ");
    let json = workspace.maquette(&["votes", "cats@1", "--json"]).code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["votes"], &json["entered"], &json["bad"]), (&8.into(), &7.into(), &1.into()));
    assert_eq!(json["axes"][0]["values"][0]["label"], "cat");
    workspace.maquette(&["votes", "dogs"]).code(7);
}

#[test]
fn the_next_experiment_is_written() {
    let (workspace, cells) = started();
    workspace
        .maquette(&["next", "cats"])
        .code(7)
        .says(&["cats@1 has no picks and no votes", "maquette review"]);
    workspace.write("runs/cats/1/picks.toml", format!("[cells.{}]\nmark = \"pick\"\n[cells.y]\n", cells[0]));
    let printed = workspace.maquette(&["next", "cats"]).code(0).says(&[
        "warning: `y` in picks.toml is not the name of a cell",
        "thing: `cat` stays; left out as never picked: `dog`, `crow`",
        "seed: 2 new seeds, from 3",
        "2 cells; cats@1 has 6",
    ]);
    let written = workspace.maquette(&["next", "cats", "-o", "cats-2.toml", "--quiet"]).code(0);
    assert_eq!((written.stdout.as_str(), workspace.read("cats-2.toml")), ("cats-2.toml\n", printed.stdout));
    workspace.maquette(&["plan", "cats-2.toml"]).code(0);
    workspace.maquette(&["next", "cats", "-o", "cats-2.toml"]).code(1).says(&["`cats-2.toml` exists"]);
    workspace.maquette(&["next", "cats", "--steps", "3"]).code(2);
    let best = workspace.maquette(&["next", "cats", "--promote", "--scale", "2"]).code(0).stdout;
    assert!(best.contains("\nwidth = 256\n") || best.contains("\nwidth = 128\n"), "{best}");
}

#[test]
fn a_picture_is_found_from_another_folder() {
    let workspace = Workspace::new().with_selfie();
    let toml = "prompt = \"a man\"\ninit_image = \"references/selfie.png\"\nsteps = 2\n[sweep]\nstrength = [0.5, 1.0]\n";
    workspace.write("man.toml", toml);
    workspace.maquette(&["run", "man.toml", "--backend", "fake", "--no-sheets"]).code(0);
    let cell = workspace.read("runs/man/1/log.csv").lines().nth(1).unwrap()[..64].to_owned();
    workspace.write("runs/man/1/picks.toml", format!("[cells.{cell}]\nmark = \"pick\"\n"));
    workspace.maquette(&["next", "man", "-o", "other/man.toml"]).code(0);
    workspace.maquette(&["plan", "other/man.toml"]).code(0);
    workspace.maquette(&["next", "man", "-o", "man-2.toml"]).code(0);
    assert!(!workspace.read("man-2.toml").contains("folder"), "{}", workspace.read("man-2.toml"));
}

#[cfg(unix)]
#[test]
fn a_review_is_served_until_ctrl_c() {
    let (workspace, _) = started();
    workspace.maquette(&["review", "dogs"]).code(7);
    let mut child =
        workspace.command(&["review", "cats"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let (host, path) = url.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
    assert!(host.starts_with("127.0.0.1:") && path.ends_with("/cats/1/"), "{url}");
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{path}api/votes HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"votes\":[]"), "{answer}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
