//! Workers whose runs are in a bucket, killed at random, over a connection that fails now and then.

use crate::s3_server::{Gone, OtherWorker, S3Server};
use crate::support::{Ended, Random, Workspace, repository};
use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const CELLS: usize = 60;
const RUN: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "none"];
const RUNS: [&str; 2] = ["--runs", "s3://bucket/some/runs"];

fn experiment(cells: usize) -> String {
    format!("prompt = \"a cat\"\nsteps = 2\nwidth = 16\nheight = 16\n[sweep]\nseed = {{ count = {cells} }}\n")
}

fn command(workspace: &Workspace, server: &S3Server, arguments: &[&str]) -> Command {
    let mut command = workspace.command(&[arguments, &RUNS].concat());
    command.envs(server.variables()).env("MAQUETTE_BUCKET_PATIENCE", "20");
    command.env("TMPDIR", workspace.path().join("tmp"));
    command
}

/// A folder with the experiment, and one for temporary files.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(CELLS));
    std::fs::create_dir(workspace.path().join("tmp")).unwrap();
    workspace
}

/// Starts a worker whose cells take some 120 ms each.
fn start(workspace: &Workspace, server: &S3Server, patience: &str) -> Child {
    start_slow(workspace, server, patience, 60)
}

/// Starts a worker with that pause, in milliseconds, before each of a cell's two steps.
fn start_slow(workspace: &Workspace, server: &S3Server, patience: &str, pause: u64) -> Child {
    let mut worker = command(workspace, server, &[&RUN[..], &["--worker", "--lease", "2"]].concat());
    worker.env("MAQUETTE_FAKE_PAUSE", pause.to_string()).env("MAQUETTE_BUCKET_PATIENCE", patience);
    worker.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(worker: Child) -> Ended {
    let Output { status, stderr, .. } = worker.wait_with_output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    Ended { code: status.code().unwrap(), stdout: String::new(), stderr }
}

/// Compares the run with one of the same experiment in a folder.
fn check_pictures(workspace: &Workspace, server: &S3Server) {
    check_pictures_of(CELLS, workspace, server);
}

fn check_pictures_of(cells: usize, workspace: &Workspace, server: &S3Server) {
    Ended::of(&mut command(workspace, server, &["pull", "cats", "here"])).code(0);
    // The seeds that were drawn are those of the run.
    workspace.write("drawn.toml", workspace.read("here/cats/1/experiment.toml"));
    workspace.maquette(&["run", "drawn.toml", "--backend", "fake", "--progress", "none"]).code(0);
    std::fs::rename(workspace.path().join("runs/drawn"), workspace.path().join("runs/cats")).unwrap();
    let (here, alone) = (pictures(workspace, "here"), pictures(workspace, "runs"));
    assert_eq!(here.len(), cells);
    assert!(here == alone, "the pictures differ");
}

/// How many pictures are in the bucket.
fn pictures_in(server: &S3Server) -> usize {
    server.keys().iter().filter(|key| key.contains("/.cells/")).count()
}

fn wait_for_pictures(server: &S3Server, count: usize) {
    while pictures_in(server) < count {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number after some words.
fn number(text: &str, before: &str) -> usize {
    let rest =
        &text[text.find(before).unwrap_or_else(|| panic!("`{before}` is not in:\n{text}")) + before.len()..];
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
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

/// Workers of which one is killed every now and then, and replaced. Then the run is looked at, pulled, and compared with one of a
/// single process.
#[allow(clippy::print_stderr, reason = "figures")]
fn kill_workers(cells: usize, workers: u64, kills: usize, pause: u64) {
    let (workspace, server) = (workspace(), S3Server::start(37));
    workspace.write("cats.toml", experiment(cells));
    let start = || start_slow(&workspace, &server, "20", pause);
    let mut running: Vec<_> = (0..workers).map(|_| start()).collect();
    let (mut random, mut at_work) = (Random(1), 0);
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(300 + random.below(500)));
        let at = random.below(workers) as usize;
        at_work += usize::from(running[at].try_wait().unwrap().is_none());
        let _ = running[at].kill();
        running[at].wait().unwrap();
        running[at] = start();
    }
    running.into_iter().for_each(|worker| drop(end(worker).code(0)));
    eprintln!("{cells} cells, {workers} workers, {kills} kills, {at_work} of them of a worker at work");
    let status = Ended::of(&mut command(&workspace, &server, &["status", "cats"])).code(0).stdout;
    assert_eq!(status, format!("cats@1: {cells} cells, {cells} done, 0 failed, 0 left\n"));
    assert!(Ended::of(&mut command(&workspace, &server, &["runs"])).code(0).stdout.contains("cats"));
    let pulled = Ended::of(&mut command(&workspace, &server, &["pull", "cats", "here"])).code(0).stdout;
    assert!(
        pulled.starts_with("here/cats/1/log.csv\n") && pulled.ends_with("here/cats/1/index.html\n"),
        "{pulled}"
    );
    workspace.maquette(&["verify", "cats", "--backend", "fake", "--sample", "4", "--runs", "here"]).code(0);

    check_pictures_of(cells, &workspace, &server);
    let keys = server.keys();
    let left = keys.iter().filter(|key| key.contains("/.share/"));
    assert!(left.clone().all(|key| key.ends_with("/finished")), "{:?}", left.collect::<Vec<_>>());
    assert!(keys.iter().any(|key| key.starts_with("some/runs/cats/1/sheets/")));
}

#[test]
fn killed_workers_share_a_run_in_a_bucket() {
    kill_workers(CELLS, 3, 8, 60);
}

#[test]
#[ignore = "takes minutes: just soak-workers"]
fn eight_workers_in_a_bucket_survive_two_hundred_kills() {
    kill_workers(1_000, 8, 200, 400);
}

#[test]
fn a_worker_waits_for_a_store_that_is_gone_for_some_seconds() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    let worker = start(&workspace, &server, "20");
    wait_for_pictures(&server, 10);
    server.goes(Gone::Closed);
    std::thread::sleep(Duration::from_secs(4));
    server.comes_back();
    end(worker).code(0);
    check_pictures(&workspace, &server);
    assert_eq!(workspace.files("tmp"), [""; 0]);
}

#[test]
fn a_worker_whose_store_is_gone_keeps_its_pictures_for_the_next_one() {
    for gone in [Gone::Closed, Gone::Silent] {
        // On a busy machine the worker may notice it while it has no picture to send.
        assert!((0..5).any(|_| outlive_a_store_that_is(gone)), "no worker had a picture to send");
    }
}

/// Whether the worker had pictures that it could not send.
fn outlive_a_store_that_is(gone: Gone) -> bool {
    let (workspace, server) = (workspace(), S3Server::start(0));
    let worker = start(&workspace, &server, "3");
    wait_for_pictures(&server, 10);
    server.goes(gone);
    let begun = Instant::now();
    let gone = end(worker).code(1).says(&["does not answer", "Finished cells are kept: run again."]);
    assert!(begun.elapsed() < Duration::from_secs(25), "it took {:?}", begun.elapsed());
    const UNSENT: &str = "that could not be sent: ";
    let unsent = if gone.stderr.contains(UNSENT) { number(&gone.stderr, UNSENT) } else { 0 };
    if unsent > 0 {
        gone.says(&["the next worker on this machine sends them"]);
    }
    let left = workspace.files("tmp").into_iter().filter(|name| name.contains("/.unsent/"));
    assert_eq!(left.count(), unsent);
    // A bucket of the same name in another store gets none of them.
    let other = S3Server::start(0);
    Ended::of(&mut command(&workspace, &other, &[&RUN[..], &["--worker"]].concat())).code(0);

    server.comes_back();
    let before = pictures_in(&server);
    let next = end(start(&workspace, &server, "20")).code(0);
    if unsent > 0 {
        assert_eq!(number(&next.stderr, "that were sent now: "), unsent);
    }
    assert_eq!(number(&next.stderr, "this worker: "), CELLS - before - unsent, "{}", next.stderr);
    check_pictures(&workspace, &server);
    assert_eq!(workspace.files("tmp"), [""; 0]);
    unsent > 0
}

#[test]
fn a_worker_that_finishes_late_leaves_the_log_of_the_first() {
    // Also where the other finished between its last look and its writing.
    for other in [OtherWorker::Finishes("the log of another"), OtherWorker::HasFinished("the log of another")]
    {
        let (workspace, server) = (workspace(), S3Server::start(0));
        server.beside(other);
        let worker = [&RUN[..], &["--worker"]].concat();
        let ended = Ended::of(&mut command(&workspace, &server, &worker)).code(0);
        assert_eq!(ended.stdout, "");
        assert_eq!(server.get("some/runs/cats/1/log.csv"), "the log of another");
    }
}

#[test]
fn a_worker_goes_on_from_the_log_of_one_that_was_killed_while_it_finished() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    server.beside(OtherWorker::WasKilled);
    Ended::of(&mut command(&workspace, &server, &[&RUN[..], &["--worker"]].concat())).code(0);
    assert!(server.keys().iter().any(|key| key.ends_with("/.share/1/finished")));
    check_pictures(&workspace, &server);
}

#[test]
fn a_log_with_metrics_is_written_once() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    workspace.write("cats.toml", experiment(CELLS) + "[metrics]\nmeasure = [\"sharpness\"]\n");
    Ended::of(&mut command(&workspace, &server, &[&RUN[..], &["--worker"]].concat())).code(0);
    let log = server.get("some/runs/cats/1/log.csv");
    let measured = log.lines().filter(|line| !line.ends_with(',')).count();
    assert!(log.lines().next().unwrap().ends_with(",sharpness") && measured == CELLS + 1, "{log}");
    assert_eq!(server.written("/log.csv"), 1);
}

#[test]
fn a_key_that_may_only_read_is_enough_to_look_at_runs() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    let worker = [&RUN[..], &["--worker"]].concat();
    Ended::of(&mut command(&workspace, &server, &worker)).code(0);
    let reads = |arguments: &[&str]| {
        Ended::of(command(&workspace, &server, arguments).env("AWS_ACCESS_KEY_ID", "reader"))
    };
    assert!(reads(&["status", "cats"]).code(0).stdout.contains("60 done"));
    assert!(reads(&["runs"]).code(0).stdout.contains("cats"));
    reads(&["pull", "cats", "here"]).code(0);
    let says = ["does not allow it with this key (403 AccessDenied)", "A worker has to read, list, write"];
    reads(&worker).code(7).says(&says);
    assert_eq!(workspace.files("tmp"), [""; 0]);
}

#[test]
fn a_bucket_that_cannot_be_used_is_explained() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    let run = |bucket: &str, variables: &[(&str, &str)], says: &[&str]| {
        let mut command = workspace.command(&[&RUN[..], &["--worker", "--runs", bucket]].concat());
        command.envs(server.variables()).envs(variables.iter().copied());
        let ended = Ended::of(&mut command).code(7).says(says);
        // Once each.
        says.iter().for_each(|part| assert_eq!(ended.count(part), 1, "{}", ended.stderr));
    };
    let key = |key: &'static str| [("AWS_ACCESS_KEY_ID", key)];
    let endpoint = format!("`http://127.0.0.1:{}`", server.port);
    run("s3://other/runs", &[], &[&endpoint, "has no such bucket", "AWS_ENDPOINT_URL"]);
    run("s3://bucket/runs", &key("unknown"), &[&endpoint, "InvalidAccessKeyId", "Check AWS_ACCESS_KEY_ID"]);
    let secret = ["SignatureDoesNotMatch", "Check AWS_SECRET_ACCESS_KEY"];
    run("s3://bucket/runs", &key("with-another-secret"), &secret);
    run("s3://bucket/runs", &key("expired"), &["ExpiredToken", "Check AWS_SESSION_TOKEN"]);
    let nowhere = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    run(
        "s3://bucket/runs",
        &nowhere,
        &["`http://127.0.0.1:9`", "does not answer", "Is the store reachable?"],
    );
    server.put("newer/.maquette", "layout 2\n");
    run("s3://bucket/newer", &[], &["`s3://bucket/newer` has layout 2", "reads layout 1"]);
    server.replaces();
    run("s3://bucket/runs", &[], &["replaces objects", "allowed: a store with conditional writes"]);
}

#[test]
fn a_store_that_never_answers_is_left_alone_soon() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    server.goes(Gone::Silent);
    let begun = Instant::now();
    let worker = [&RUN[..], &["--worker"]].concat();
    let says = ["does not answer", "Is the store reachable?"];
    Ended::of(&mut command(&workspace, &server, &worker)).code(7).says(&says);
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
}

#[test]
fn trainings_are_refused_in_a_bucket() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    for name in ["subject-0", "subject-1", "subject-2", "class-0"] {
        let photo = std::fs::read(repository().join(format!("tests/fixtures/training/{name}.png"))).unwrap();
        workspace.write(&format!("photos/{name}.png"), photo);
    }
    let subject = "[subject.me]\nimages = \"photos/*.png\"\nword = \"sks man\"\n";
    let experiment = format!("prompt = \"a {{subject}}\"\n[sweep]\nsubject = [\"me\"]\n{subject}");
    workspace.write("faces.toml", experiment);
    let run = ["run", "faces.toml", "--backend", "fake", "--progress", "none", "--worker"];
    let says = ["`me` cannot be trained in a bucket", "maquette train FILE --out DIR"];
    Ended::of(&mut command(&workspace, &server, &run)).code(3).says(&says);
    assert_eq!(server.keys(), ["some/runs/.maquette"]);
}

#[test]
fn few_requests_are_made_for_a_cell() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    workspace.write("cats.toml", experiment(2048));
    Ended::of(&mut command(&workspace, &server, &[&RUN[..], &["--worker"]].concat())).code(0);
    let each = server.requests() as f64 / 2048.0;
    assert!(each < 6.0, "{each} requests for a cell");
}

#[cfg(unix)]
#[test]
fn a_run_in_a_bucket_is_submitted_without_its_keys() {
    let (workspace, server) = (workspace(), S3Server::start(0));
    for (name, number) in [("sbatch", "41"), ("squeue", "41_[1-3] PENDING"), ("hq", "7")] {
        let script = format!(
            "#!/bin/sh\necho {name} \"$@\" >> '{}/log'\necho '{number}'\n",
            workspace.path().display()
        );
        let path = workspace.write(&format!("bin/{name}"), script);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", workspace.path().join("bin").display());
    let submit = ["submit", "cats.toml", "--workers", "3", "--device", "cpu", "--backend", "fake"];
    let run = |arguments: &[&str]| Ended::of(command(&workspace, &server, arguments).env("PATH", &path));
    let submitted = run(&[&submit[..], &["--slurm"]].concat()).code(0);
    assert_eq!(submitted.says(&["3 workers as job 41; the last one reports"]).stdout, "41\n");
    let status = run(&["status", "cats"]).code(0).stdout;
    assert!(status.ends_with("slurm says:\n41_[1-3] PENDING\n"), "{status}");
    let script = server.get("some/runs/cats/1/submit/workers.sh");

    run(&[&submit[..], &["--hyperqueue"]].concat()).code(0);
    let log = workspace.read("log");
    assert!(log.contains("sbatch --parsable ") && !log.contains("dependency"), "{log}");
    assert!(log.contains("submit --name cats@1 --array 1-3 -- /"), "{log}");

    let kubernetes = ["--kubernetes", "--image", "maquette:1", "--secret", "keys"];
    let manifest = run(&[&submit[..], &kubernetes].concat()).code(0).stdout;
    for part in
        ["kind: ConfigMap\n", "    prompt = \"a cat\"\n", "name: \"keys\"\n", "\"/experiment/cats.toml\"\n"]
    {
        assert!(manifest.contains(part), "{part} is not in:\n{manifest}");
    }
    for text in [&script, &log, &manifest] {
        assert!(text.contains("s3://bucket/some/runs") && !text.contains("AWS_SECRET"), "{text}");
        assert!(
            server.variables()[3..].iter().all(|(_, value)| !text.contains(&format!("={value}"))),
            "{text}"
        );
    }
    // The script is a worker's.
    let script = workspace.write("workers.sh", script);
    let mut worker = Command::new("bash");
    worker.arg(script).current_dir("/").envs(server.variables());
    Ended::of(&mut worker).code(0);
    check_pictures(&workspace, &server);
    assert_eq!(workspace.files("tmp"), [""; 0]);
}
