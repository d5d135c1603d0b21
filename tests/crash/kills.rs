//! Kills the program at random moments.

use super::check::{assert_same, check_interrupted, experiment, rows, subject, workspace};
use crate::support::{Random, Workspace};
use std::time::{Duration, Instant};

/// Kills runs with SIGKILL at random moments and checks the folder after each; a run that ends is compared with an undisturbed
/// one, and the next begins in a new folder. Returns how many kills were between the first and the last row.
fn kill_runs(
    folder: &dyn Fn() -> Workspace,
    (backend, arguments): (&str, &[&str]),
    kills: usize,
    seed: u64,
) -> usize {
    let whole = folder();
    // One guided picture at a time.
    let run = [&["cats.toml", "--backend", backend, "--rows", "2"], arguments].concat();
    let (mut undisturbed, mut events) = (whole.start_run(&run), 0);
    while undisturbed.wait() {
        events += 1;
    }
    assert_eq!(undisturbed.code(), Some(0));
    let cells = rows(&whole).len();
    // A cell has four in a run of nothing else.
    let events = if arguments.is_empty() { 5 * cells as u64 } else { events + events / 4 };
    let mut random = Random(seed);
    let (mut killed, mut ended, mut with_rows) = (0, 0, 0);
    let started = Instant::now();
    while killed < kills {
        let folder = folder();
        loop {
            let mut running = folder.start_run(&run);
            // Before it begins, or at one of its events.
            match random.below(4) {
                0 => std::thread::sleep(Duration::from_millis(random.below(200))),
                _ => {
                    let at = random.below(events);
                    if !(0..at).all(|_| running.wait()) {
                        assert_eq!(running.code(), Some(0));
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(random.below(5000)));
                }
            }
            running.kill();
            killed += 1;
            check_interrupted(&folder, backend);
            let kept = rows(&folder);
            with_rows += usize::from(!kept.is_empty() && kept.len() < cells);
            if killed >= kills || kept.len() == cells {
                folder.maquette(&[&["run", "--progress", "none"], &run[..]].concat()).code(0);
                break;
            }
        }
        assert_same(&whole, &folder);
        ended += 1;
    }
    eprintln!("{killed} kills, {with_rows} of them among the rows, {ended} runs, {:.0?}", started.elapsed());
    with_rows
}

/// The same for a run of pictures alone, of which a quarter of the kills has to hit the middle.
fn kill_plain_runs(experiment: &str, backend: &str, kills: usize, seed: u64) {
    let with_rows = kill_runs(&|| workspace(experiment), (backend, &[]), kills, seed);
    assert!(
        with_rows * 4 > kills,
        "only {with_rows} of {kills} kills hit a run between its first and its last row"
    );
}

/// Drafts are rendered first, then the pictures.
fn kill_drafts(kills: usize, seed: u64) {
    let experiment = experiment(6).replace("steps = 2", "steps = 20");
    kill_runs(&|| workspace(&experiment), ("fake", &["--draft"]), kills, seed);
}

/// A subject is trained, then pictures are rendered with it; the same bytes of weights are expected.
fn kill_trainings(kills: usize, seed: u64) {
    kill_runs(&subject, ("engine", &["--device", "cpu"]), kills, seed);
}

/// With the bundled model.
const PORTRAITS: &str = "prompt = \"portrait of a man, by {artist}\"\nsteps = 2\nwidth = 64\nheight = 64\n\n[sweep]\nartist = \
                         [\"Edvard Munch\", \"Alphonse Mucha\"]\nseed = { count = 4 }\n";

#[test]
fn killed_runs_lose_and_repeat_nothing() {
    kill_plain_runs(&experiment(12), "fake", 24, 1);
}

#[test]
fn killed_runs_of_a_model_lose_and_repeat_nothing() {
    kill_plain_runs(PORTRAITS, "engine", 8, 2);
}

#[test]
fn killed_runs_with_drafts_end_the_same() {
    kill_drafts(8, 5);
}

#[test]
fn killed_trainings_end_the_same() {
    kill_trainings(6, 6);
}

#[test]
#[ignore = "takes many minutes: just soak"]
fn runs_survive_a_thousand_kills() {
    kill_plain_runs(&experiment(12), "fake", 800, 3);
    kill_plain_runs(PORTRAITS, "engine", 200, 4);
}

#[test]
#[ignore = "takes many minutes: just soak"]
fn drafts_and_trainings_survive_three_hundred_kills() {
    kill_drafts(200, 7);
    kill_trainings(100, 8);
}
