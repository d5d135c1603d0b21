//! Workers whose runs are in a bucket, killed at random, over a connection that fails now and then.

use crate::s3_server::S3Server;
use crate::support::{Ended, Random, Workspace};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

const CELLS: usize = 60;
const RUN: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "none"];
const RUNS: [&str; 2] = ["--runs", "s3://bucket/some/runs"];

fn experiment() -> String {
    format!("prompt = \"a cat\"\nsteps = 2\nwidth = 16\nheight = 16\n[sweep]\nseed = {{ count = {CELLS} }}\n")
}

fn command(workspace: &Workspace, server: &S3Server, arguments: &[&str]) -> Command {
    let mut command = workspace.command(&[arguments, &RUNS].concat());
    command.envs(server.variables()).env("MAQUETTE_BUCKET_PATIENCE", "20");
    command
}

/// The log without the columns that differ between processes, and the bytes of each picture.
fn pictures(workspace: &Workspace, runs: &str) -> BTreeMap<String, Vec<u8>> {
    let mut reader = csv::Reader::from_path(workspace.path().join(format!("{runs}/cats/1/log.csv"))).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (cell, status, image) = (at("cell"), at("status"), at("image"));
    let mut pictures = BTreeMap::new();
    for row in reader.records().map(Result::unwrap) {
        assert_eq!(&row[status], "done");
        let bytes = std::fs::read(workspace.path().join(format!("{runs}/cats/1/{}", &row[image]))).unwrap();
        assert!(pictures.insert(row[cell].to_owned(), bytes).is_none(), "{} has two rows", &row[cell]);
    }
    pictures
}

#[test]
fn killed_workers_share_a_run_in_a_bucket() {
    let (workspace, server) = (Workspace::new(), S3Server::start(37));
    workspace.write("cats.toml", experiment());
    let start = || {
        let mut worker = command(&workspace, &server, &[&RUN[..], &["--worker", "--lease", "2"]].concat());
        worker.env("MAQUETTE_FAKE_PAUSE", "60").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut workers: Vec<_> = (0..3).map(|_| start()).collect();
    let mut random = Random(1);
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(300 + random.below(500)));
        let at = random.below(3) as usize;
        workers[at].kill().unwrap();
        workers[at].wait().unwrap();
        workers[at] = start();
    }
    for worker in workers {
        let ended = worker.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let status = Ended::of(&mut command(&workspace, &server, &["status", "cats"])).code(0).stdout;
    assert_eq!(status, format!("cats@1: {CELLS} cells, {CELLS} done, 0 failed, 0 left\n"));
    assert!(Ended::of(&mut command(&workspace, &server, &["runs"])).code(0).stdout.contains("cats"));
    let pulled = Ended::of(&mut command(&workspace, &server, &["pull", "cats", "here"])).code(0).stdout;
    assert!(
        pulled.starts_with("here/cats/1/log.csv\n") && pulled.ends_with("here/cats/1/index.html\n"),
        "{pulled}"
    );
    workspace.maquette(&["verify", "cats", "--backend", "fake", "--sample", "4", "--runs", "here"]).code(0);

    // The seeds that were drawn are those of the run.
    workspace.write("drawn.toml", workspace.read("here/cats/1/experiment.toml"));
    workspace.maquette(&["run", "drawn.toml", "--backend", "fake", "--progress", "none"]).code(0);
    std::fs::rename(workspace.path().join("runs/drawn"), workspace.path().join("runs/cats")).unwrap();
    let (here, alone) = (pictures(&workspace, "here"), pictures(&workspace, "runs"));
    assert_eq!(here.len(), CELLS);
    assert!(here == alone, "the pictures differ");
    let keys = server.keys();
    let left = keys.iter().filter(|key| key.contains("/.share/"));
    assert!(left.clone().all(|key| key.ends_with("/finished")), "{:?}", left.collect::<Vec<_>>());
    assert!(keys.iter().any(|key| key.starts_with("some/runs/cats/1/sheets/")));
}

#[test]
fn a_bucket_that_cannot_be_used_is_explained() {
    let (workspace, server) = (Workspace::new(), S3Server::start(0));
    workspace.write("cats.toml", experiment());
    let run = |bucket: &str, variables: &[(&str, String)]| {
        let mut command = workspace.command(&[&RUN[..], &["--worker", "--runs", bucket]].concat());
        Ended::of(command.envs(variables.iter().cloned()))
    };
    run("s3://other/runs", &server.variables()).code(7).says(&["There is no such bucket"]);
    let nowhere =
        [&server.variables()[1..], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9".to_owned())]].concat();
    run("s3://bucket/runs", &nowhere).code(7).says(&["Is the store reachable?", "AWS_ENDPOINT_URL"]);
}

#[test]
fn few_requests_are_made_for_a_cell() {
    let (workspace, server) = (Workspace::new(), S3Server::start(0));
    workspace.write("cats.toml", experiment().replace("60", "2048"));
    Ended::of(&mut command(&workspace, &server, &[&RUN[..], &["--worker"]].concat())).code(0);
    let each = server.requests() as f64 / 2048.0;
    assert!(each < 6.0, "{each} requests for a cell");
}
