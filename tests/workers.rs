//! Several `maquette run --worker` processes on one runs folder: killed, stopped, started twice.

use crate::support::{Ended, Random, Workspace};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

/// An experiment for the fake backend.
fn experiment(cells: usize) -> String {
    format!(
        "prompt = \"a cat, by {{artist}}\"\nsteps = 2\nwidth = 16\nheight = 16\n\n[sweep]\nartist = [\"Mucha\", \"Munch\"]\n\
         seed = {{ count = {} }}\n",
        cells / 2
    )
}

const RUN: [&str; 6] = ["run", "cats.toml", "--backend", "fake", "--progress", "none"];

/// Starts a worker. `pause` is how long a step takes, in milliseconds.
fn start(workspace: &Workspace, lease: u32, pause: u32) -> Child {
    let mut command = workspace.command(&RUN);
    command.args(["--worker", "--lease", &lease.to_string()]).env("MAQUETTE_FAKE_PAUSE", pause.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The bytes of the picture of every cell in the log; each cell must have one row.
fn pictures(workspace: &Workspace) -> BTreeMap<String, Vec<u8>> {
    let log = workspace.read("runs/cats/1/log.csv");
    let mut reader = csv::Reader::from_reader(log.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (cell, status, image) = (at("cell"), at("status"), at("image"));
    let mut pictures = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        assert_eq!(&row[status], "done");
        let bytes = fs::read(workspace.path().join("runs/cats/1").join(&row[image])).unwrap();
        assert!(pictures.insert(row[cell].to_owned(), bytes).is_none(), "{} has two rows", &row[cell]);
    }
    pictures
}

/// Kills workers with SIGKILL at random moments and starts new ones, then compares the run with an undisturbed one.
fn kill_workers(cells: usize, workers: usize, kills: usize, pause: u32) {
    let (whole, killed) = (Workspace::new(), Workspace::new());
    for workspace in [&whole, &killed] {
        workspace.write("cats.toml", experiment(cells));
    }
    whole.maquette(&RUN).code(0);
    let mut running: Vec<Child> = (0..workers).map(|_| start(&killed, 1, pause)).collect();
    let mut random = Random(1);
    let mut in_progress = 0;
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(random.below(2 * u64::from(pause) + 100)));
        let at = random.below(workers as u64) as usize;
        in_progress += usize::from(running[at].try_wait().unwrap().is_none());
        running[at].kill().unwrap();
        running[at].wait().unwrap();
        running[at] = start(&killed, 1, pause);
    }
    let codes: Vec<_> = running.iter_mut().map(|worker| worker.wait().unwrap().code()).collect();
    assert_eq!(codes, vec![Some(0); workers]);
    assert!(in_progress > kills / 2, "only {in_progress} of {kills} kills hit a worker");
    let pictures = pictures(&killed);
    assert_eq!(pictures.len(), cells);
    assert!(pictures == self::pictures(&whole), "the pictures differ");
    killed.maquette(&["verify", "cats", "--backend", "fake", "--sample", "8"]).code(0);
    let left = killed.files("runs/cats/1/.share");
    assert!(left.iter().all(|file| file.ends_with("/finished")), "{left:?}");
    for made in ["sheets", "index.html"] {
        assert!(killed.path().join("runs/cats/1").join(made).exists(), "there is no {made}");
    }
}

#[test]
fn killed_workers_lose_and_repeat_nothing() {
    kill_workers(60, 4, 12, 60);
}

#[test]
#[ignore = "takes minutes: just soak-workers"]
fn eight_workers_survive_two_hundred_kills() {
    kill_workers(1_000, 8, 200, 100);
}

#[test]
fn the_last_worker_prints_the_paths_and_a_late_one_has_nothing_to_do() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let worker = [&RUN[..], &["--worker", "--worker-name", "first"]].concat();
    let first = workspace.maquette(&worker).code(0).says(&["this worker: 6 rendered", "cats@1 is finished"]);
    let printed: Vec<&str> = first.stdout.lines().collect();
    assert_eq!((printed[0], printed[printed.len() - 1]), ("runs/cats/1/log.csv", "runs/cats/1/index.html"));
    let late = workspace.maquette(&worker).code(0).says(&["this worker: 0 rendered"]);
    assert_eq!(late.stdout, "");
    let status = workspace.maquette(&["status", "cats"]).code(0).stdout;
    assert_eq!(status, "cats@1: 6 cells, 6 done, 0 failed, 0 left\n");
    // One process alone goes on where workers have ended.
    workspace.maquette(&RUN).code(0).says(&["0 rendered, 6 finished earlier"]);
    workspace.maquette(&[&worker[..], &["--shard", "1/2"]].concat()).code(2);
}

#[test]
fn a_worker_refuses_a_run_in_which_a_single_process_renders() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(40));
    let mut alone = workspace.command(&RUN);
    let mut alone =
        alone.env("MAQUETTE_FAKE_PAUSE", "200").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !workspace.path().join("runs/cats/1/log.csv").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let worker = [&RUN[..], &["--worker"]].concat();
    workspace.maquette(&worker).code(7).says(&["is in use", "start each process with `--worker`"]);
    alone.kill().unwrap();
    alone.wait().unwrap();
    workspace.maquette(&worker).code(0);
    assert_eq!(pictures(&workspace).len(), 40);
}

#[cfg(unix)]
fn signal(worker: &Child, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &worker.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits until a worker has claimed something.
#[cfg(unix)]
fn wait_for_claims(workspace: &Workspace) {
    while workspace.files("runs/cats/1/.share/1/claims").is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
#[test]
fn a_paused_worker_repeats_no_row_when_it_goes_on() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(20));
    let mut paused = start(&workspace, 1, 100);
    wait_for_claims(&workspace);
    signal(&paused, "-STOP");
    let other = start(&workspace, 1, 0).wait().unwrap();
    assert_eq!(other.code(), Some(0));
    let status = workspace.maquette(&["status", "cats"]).code(0).stdout;
    assert!(status.contains("20 done, 0 failed, 0 left"), "{status}");
    signal(&paused, "-CONT");
    assert_eq!(paused.wait().unwrap().code(), Some(0));
    // The last one out of the run folds the rows.
    assert_eq!(pictures(&workspace).len(), 20);
}

#[cfg(unix)]
#[test]
fn a_terminated_worker_gives_its_cells_back() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(20));
    // With this lease, cells of a dead worker would not come back during the test.
    let mut first = start(&workspace, 600, 100);
    wait_for_claims(&workspace);
    signal(&first, "-TERM");
    assert_eq!(first.wait().unwrap().code(), Some(130));
    let ended = Ended::of(workspace.command(&RUN).args(["--worker", "--lease", "600"])).code(0);
    ended.says(&["cats@1 is finished"]);
    assert_eq!(pictures(&workspace).len(), 20);
}

/// A program in the folder `bin` that logs its arguments and prints a text.
#[cfg(unix)]
fn program(workspace: &Workspace, name: &str, prints: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!("#!/bin/sh\necho \"{name} $@\" >> \"$(dirname \"$0\")/log\"\necho '{prints}'\n");
    let path = workspace.write(&format!("bin/{name}"), script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_run_is_submitted_to_slurm_and_followed() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let submit = ["submit", "cats.toml", "--slurm", "--workers", "3", "--device", "cpu", "--backend", "fake"];
    let submit = [&submit[..], &["--set", "steps=3", "--", "--partition=gpu", "--array=0-2"]].concat();
    let path = format!("{}:/usr/bin:/bin", workspace.path().join("bin").display());
    let run = |arguments: &[&str], path: &str| Ended::of(workspace.command(arguments).env("PATH", path));
    // Without Slurm the scripts are there.
    run(&submit, "/nowhere").code(7).says(&["cannot run `sbatch`", "The scripts are in"]);
    let script = workspace.read("runs/cats/1/submit/workers.sh");
    for part in
        ["#SBATCH --array=1-3\n", " --set steps=3 --dtype f32 --device cpu --lease 120 --backend fake\n"]
    {
        assert!(script.contains(part), "{script}");
    }

    program(&workspace, "sbatch", "41;cluster");
    program(&workspace, "squeue", "41_[1-3] PENDING 0:00 Priority");
    let submitted = run(&submit, &path).code(0).says(&["cats@1: 3 workers as job 41"]);
    assert_eq!(submitted.stdout, "41\n");
    let said = run(&["status", "cats"], &path).code(0).stdout;
    assert!(said.ends_with("slurm says:\n41_[1-3] PENDING 0:00 Priority\n"), "{said}");
    let log = workspace.read("bin/log");
    let calls: Vec<&str> = log.lines().collect();
    let folder = fs::canonicalize(workspace.path().join("runs/cats/1/submit")).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    assert!(calls[0].starts_with("sbatch --parsable --partition=gpu --array=0-2 "), "{log}");
    assert!(calls[1].starts_with("sbatch --parsable --partition=gpu --dependency=afterany:41 "), "{log}");
    for (call, script) in [(calls[0], "workers.sh"), (calls[1], "report.sh")] {
        let named = call.rsplit(' ').next().unwrap();
        assert_eq!(fs::canonicalize(workspace.path().join(named)).unwrap().display().to_string(), at(script));
    }
    // The script is what the queue runs.
    let ended = std::process::Command::new("bash").arg(at("workers.sh")).current_dir("/").output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let status = run(&["status", "cats", "--json"], &path).code(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["done"], &status["submission"]["workers"]), (&6.into(), &"41".into()));
}

#[cfg(unix)]
#[test]
fn a_run_is_submitted_to_hyperqueue_and_followed() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let path = format!("{}:/usr/bin:/bin", workspace.path().join("bin").display());
    program(&workspace, "hq", "7");
    let submit =
        ["submit", "cats.toml", "--hyperqueue", "--workers", "3", "--device", "cpu", "--backend", "fake"];
    let submit = [&submit[..], &["--", "--cpus=2"]].concat();
    let run = |arguments: &[&str]| Ended::of(workspace.command(arguments).env("PATH", &path));
    assert_eq!(
        run(&submit).code(0).says(&["cats@1: 3 workers as job 7; the last one reports"]).stdout,
        "7\n"
    );
    let folder = fs::canonicalize(workspace.path().join("runs/cats/1/submit")).unwrap();
    let log = workspace.read("bin/log");
    for part in [
        "hq --output-mode quiet submit --name cats@1 --array 1-3 --stdout ",
        " --cpus=2 -- bash ",
        "/workers.sh",
    ] {
        assert!(log.contains(part), "{log}");
    }
    // Two tasks of the script share the run, and the last one draws its sheet.
    let task = || std::process::Command::new("bash").arg(folder.join("workers.sh")).current_dir("/").spawn();
    for mut task in [task().unwrap(), task().unwrap()] {
        assert!(task.wait().unwrap().success());
    }
    assert!(workspace.path().join("runs/cats/1/sheets").is_dir());
    let said = run(&["status", "cats"]).code(0).stdout;
    assert!(said.ends_with("hyperqueue says:\n7\n"), "{said}");
}

#[test]
fn a_manifest_for_kubernetes_names_what_its_pods_need() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let submit =
        ["submit", "cats.toml", "--kubernetes", "--workers", "3", "--device", "cpu", "--backend", "fake"];
    let with = |more: &[&str]| workspace.maquette(&[&submit[..], more].concat());
    with(&[]).code(2).says(&["--image <IMAGE>"]);
    with(&["--image", "maquette:1"]).code(3).says(&["allowed: `--claim CLAIM`"]);
    let pods = ["--image", "maquette:1", "--claim", "data"];
    with(&[&pods[..], &["--mount", "runs"]].concat()).code(3).says(&["cats.toml` is not in the volume at `"]);
    with(&[&pods[..], &["--secret", "keys"]].concat()).code(3).says(&["a secret has the keys of a bucket"]);
    let said = with(&pods).code(0).stdout;
    assert!(said.starts_with("kubectl apply -f ") && said.ends_with("job.yaml\n"), "{said}");
    let manifest = workspace.read("runs/cats/1/submit/job.yaml");
    for part in ["completions: 3\n", "image: \"maquette:1\"\n", "claimName: \"data\"\n", "- \"--worker\"\n"] {
        assert!(manifest.contains(part), "{manifest}");
    }
}

#[test]
fn most_commands_need_a_folder_for_runs() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let commands: [&[&str]; 4] = [&RUN, &["plan", "cats.toml"], &["review", "cats"], &["clean"]];
    for command in commands {
        let ended = workspace.maquette(&[command, &["--runs", "s3://bucket/runs"]].concat());
        ended.code(7).says(&[
            "`s3://bucket/runs` is a bucket",
            "allowed here: a folder for runs",
            "maquette pull RUN DIR",
        ]);
    }
    let ended = workspace.maquette(&[&RUN[..], &["--worker", "--runs", "gs://bucket/runs"]].concat());
    ended.code(7).says(&["is no address of a bucket", "allowed: s3://BUCKET"]);
    assert_eq!(workspace.files(""), ["cats.toml"]);
}

#[test]
fn shards_of_job_arrays_come_from_the_environment() {
    let workspace = Workspace::new();
    workspace.write("cats.toml", experiment(6));
    let task = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = workspace.command(&RUN);
        Ended::of(command.args(arguments).envs(variables.iter().copied()))
    };
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "12"),
        ("SLURM_ARRAY_TASK_MIN", "10"),
        ("SLURM_ARRAY_TASK_MAX", "12"),
        ("SLURM_ARRAY_TASK_COUNT", "3"),
        ("SLURM_ARRAY_TASK_STEP", "1"),
    ];
    task(&["--shard", "auto"], &slurm).code(0).says(&["2 rendered"]);
    assert!(workspace.path().join("runs/cats/1/log.3-of-3.csv").is_file());
    task(&["--shard", "auto/3"], &[("JOB_COMPLETION_INDEX", "0")]).code(0).says(&["2 rendered"]);
    task(&["--shard", "auto"], &slurm[..1]).code(3).says(&["needs `SLURM_ARRAY_TASK_MIN`, which is not set"]);
    task(&["--shard", "auto"], &[]).code(3).says(&["none is set of"]);
}
