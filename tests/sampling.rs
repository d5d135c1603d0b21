//! Schedulers, their options, kinds of noise and variations, from the file to the log.

use crate::support::{Workspace, repository};
use std::collections::BTreeSet;
use std::fs;

/// Runs an experiment with a tiny model; returns the rows of its log and the number of distinct pictures.
fn run(rest: &str) -> (Vec<String>, usize) {
    let workspace = Workspace::new();
    let model = repository().join("tests/fixtures/tiny-a").canonicalize().unwrap();
    let head = format!(
        "model = '{}'\nprompt = \"a portrait\"\nsteps = 3\nwidth = 16\nheight = 16\n",
        model.display()
    );
    workspace.write("sampling.toml", head + rest);
    workspace.maquette(&["run", "sampling.toml"]).code(0);
    let log = workspace.read("runs/sampling/1/log.csv");
    let rows: Vec<String> = log.lines().skip(1).map(str::to_owned).collect();
    let mut reader = csv::Reader::from_reader(log.as_bytes());
    let image = reader.headers().unwrap().iter().position(|name| name == "image").unwrap();
    let pictures: BTreeSet<Vec<u8>> = reader
        .records()
        .map(|row| fs::read(workspace.path().join("runs/sampling/1").join(&row.unwrap()[image])).unwrap())
        .map(|png| image::load_from_memory(&png).unwrap().into_rgb8().into_raw())
        .collect();
    (rows, pictures.len())
}

#[test]
fn every_scheduler_makes_a_different_picture() {
    let (rows, different) = run(r#"[sweep]
scheduler = ["pndm", "ddim", "ddpm", "euler", "euler_a", "heun", "dpmpp_2m", "unipc", "lcm"]"#);
    assert!(rows.iter().all(|row| row.contains("done")), "{rows:?}");
    assert_eq!((rows.len(), different), (9, 9));
}

#[test]
fn options_of_schedulers_change_the_picture() {
    let (rows, different) = run(r#"scheduler = "heun"
[sweep]
sigmas = ["normal", "karras", "exponential"]
spacing = ["leading", "trailing"]"#);
    assert_eq!((rows.len(), different), (6, 6));
    let (rows, different) = run("scheduler = \"ddim\"\n[sweep]\neta = [0, 0.5, 1]");
    assert_eq!((rows.len(), different), (3, 3));
}

#[test]
fn noise_and_variations_change_the_picture() {
    let (rows, different) = run(r#"variation_seed = 5
[sweep]
noise = ["torch-cpu", "torch-cpu-f16", "torch-cuda"]
variation_strength = [0, 0.2]"#);
    assert_eq!((rows.len(), different), (6, 6));
}
