//! Long runs: memory and time per cell do not grow.

use super::check::{RUN, workspace};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What a long run needed.
struct Measured {
    /// Memory in use in KiB, whenever a thousandth of the cells was finished.
    memory: Vec<u64>,
    /// When each cell was finished.
    finished: Vec<Duration>,
    /// How long the same command took when there was nothing left to do.
    resumed: Duration,
}

fn run(cells: usize) -> Measured {
    let folder = workspace(&format!(
        "prompt = \"a cat\"\nsteps = 2\nwidth = 16\nheight = 16\n[sweep]\nseed = {{ count = {cells} }}\n"
    ));
    let arguments = ["run", "cats.toml", "--backend", "fake", "--no-sheets"];
    let mut command = folder.command(&[&arguments[..], &["--progress", "json"]].concat());
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut memory, mut finished, started) = (Vec::new(), Vec::new(), Instant::now());
    for line in BufReader::new(running.stderr.take().unwrap()).lines().map(Result::unwrap) {
        if line.starts_with("{\"event\":\"finished\"") {
            finished.push(started.elapsed());
            if finished.len().is_multiple_of((cells / 1000).max(1)) {
                memory.extend(resident(running.id()));
            }
        }
    }
    assert!(running.wait().unwrap().success());
    assert_eq!(
        fs::read_to_string(folder.path().join(RUN).join("log.csv")).unwrap().lines().count(),
        cells + 1
    );
    let started = Instant::now();
    folder.maquette(&arguments).code(0).says(&["0 rendered"]);
    Measured { memory, finished, resumed: started.elapsed() }
}

/// The memory of a process in KiB; none where the system does not say.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

impl Measured {
    /// The memory in the second tenth of the run and in its last tenth, and the median time per cell of the first and the last
    /// `some` cells.
    fn ends(&self, some: usize) -> ((u64, u64), (Duration, Duration)) {
        let tenth = self.memory.len() / 10;
        let memory = |from: usize| median(self.memory[from..from + tenth].iter().copied());
        let apart: Vec<Duration> = self.finished.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Cells are recorded in batches.
        let mean = |cells: &[Duration]| cells.iter().sum::<Duration>() / cells.len() as u32;
        let time = |from: usize| median(apart[from..from + some].chunks(50).map(mean));
        ((memory(tenth), memory(self.memory.len() - tenth)), (time(0), time(apart.len() - some)))
    }
}

fn check(cells: usize, some: usize) -> Measured {
    let measured = run(cells);
    let (memory, time) = measured.ends(some);
    eprintln!(
        "{cells} cells: {} to {} KiB, {:.2?} to {:.2?} per cell, resumed in {:.2?}",
        memory.0, memory.1, time.0, time.1, measured.resumed
    );
    measured
}

#[test]
fn memory_does_not_grow_with_the_cells() {
    let measured = check(1_000, 200);
    let (memory, _) = measured.ends(200);
    assert!(memory.1 * 10 <= memory.0 * 11, "{memory:?}");
}

#[test]
#[ignore = "takes minutes: just soak-long"]
fn twenty_thousand_cells_take_the_time_and_memory_of_the_first() {
    let measured = check(20_000, 1_000);
    let (memory, time) = measured.ends(1_000);
    assert!(memory.1 * 10 <= memory.0 * 11, "{memory:?}");
    assert!(time.1 * 10 <= time.0 * 11, "{time:?}");
}
