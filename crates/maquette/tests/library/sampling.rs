//! Schedulers, their options, kinds of noise and variations, from a file to the log.

use crate::support::{Project, fixture, log, pixels, run};
use maquette::Status;
use std::collections::BTreeSet;

/// Runs an experiment of a tiny model: how many pictures it makes, and how many of them are different.
fn made(rest: &str) -> (usize, usize) {
    let project = Project::new();
    let head = format!(
        "model = '{}'\nprompt = \"a portrait\"\nsteps = 3\nwidth = 16\nheight = 16\n",
        fixture("tiny-a").display()
    );
    project.write("sampling.toml", head + rest);
    let ran = run(&project.engine(), &project.experiment("sampling.toml"));
    let rows = log(&ran.result.run);
    assert!(rows.iter().all(|row| row.status() == Status::Done), "{rows:?}");
    let pictures: BTreeSet<Vec<u8>> =
        rows.iter().map(|row| pixels(&ran.result.run, row).into_rgb()).collect();
    (rows.len(), pictures.len())
}

#[test]
fn every_scheduler_makes_a_picture_of_its_own() {
    let sweep = r#"[sweep]
scheduler = ["pndm", "ddim", "ddpm", "euler", "euler_a", "heun", "dpmpp_2m", "unipc", "lcm"]"#;
    assert_eq!(made(sweep), (9, 9));
}

#[test]
fn options_of_schedulers_change_the_picture() {
    let heun = r#"scheduler = "heun"
[sweep]
sigmas = ["normal", "karras", "exponential"]
spacing = ["leading", "trailing"]"#;
    assert_eq!(made(heun), (6, 6));
    assert_eq!(made("scheduler = \"ddim\"\n[sweep]\neta = [0, 0.5, 1]"), (3, 3));
}

#[test]
fn noise_and_variations_change_the_picture() {
    let sweep = r#"variation_seed = 5
[sweep]
noise = ["torch-cpu", "torch-cpu-f16", "torch-cuda"]
variation_strength = [0, 0.2]"#;
    assert_eq!(made(sweep), (6, 6));
}
