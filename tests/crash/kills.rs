//! Kills the program at random moments.

use super::check::{assert_same, check_interrupted, experiment, rows, workspace};
use crate::support::Random;
use std::time::{Duration, Instant};

/// Kills runs with SIGKILL at random moments and checks the folder after each; a run that ends is compared with an undisturbed
/// one, and the next begins in a new folder.
fn kill_runs(experiment: &str, backend: &str, kills: usize, seed: u64) {
    let whole = workspace(experiment);
    // One guided picture at a time.
    let run = ["cats.toml", "--backend", backend, "--rows", "2"];
    whole.maquette(&[&["run", "--progress", "none"], &run[..]].concat()).code(0);
    let cells = rows(&whole).len();
    let mut random = Random(seed);
    let (mut killed, mut ended, mut with_rows) = (0, 0, 0);
    let started = Instant::now();
    while killed < kills {
        let folder = workspace(experiment);
        loop {
            let mut running = folder.start_run(&run);
            // Before it begins, or at one of its events.
            match random.below(4) {
                0 => std::thread::sleep(Duration::from_millis(random.below(200))),
                _ => {
                    // A cell has four.
                    let events = random.below(5 * cells as u64);
                    if !(0..events).all(|_| running.wait()) {
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
    assert!(
        with_rows * 4 > kills,
        "only {with_rows} of {kills} kills hit a run between its first and its last row"
    );
}

/// With the bundled model.
const PORTRAITS: &str = "prompt = \"portrait of a man, by {artist}\"\nsteps = 2\nwidth = 64\nheight = 64\n\n[sweep]\nartist = \
                         [\"Edvard Munch\", \"Alphonse Mucha\"]\nseed = { count = 4 }\n";

#[test]
fn killed_runs_lose_and_repeat_nothing() {
    kill_runs(&experiment(12), "fake", 24, 1);
}

#[test]
fn killed_runs_of_a_model_lose_and_repeat_nothing() {
    kill_runs(PORTRAITS, "engine", 8, 2);
}

#[test]
#[ignore = "takes many minutes: just soak"]
fn runs_survive_a_thousand_kills() {
    kill_runs(&experiment(12), "fake", 800, 3);
    kill_runs(PORTRAITS, "engine", 200, 4);
}
