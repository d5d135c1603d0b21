//! The shape of the house, checked: who may depend on whom, how files begin, how long they may grow.
//! ARCHITECTURE.md gives the reasons.

mod circles;
mod must_not;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each crate may use. Tests may use more.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("kernels", &[]),
    ("sketchbook", &[]),
    ("picture", &["core"]),
    ("planner", &["core"]),
    ("reporter", &["core"]),
    ("hub", &["core"]),
    ("interop", &["core", "picture"]),
    ("diffusion", &["core", "kernels", "picture"]),
    ("store", &["core", "picture", "interop"]),
    ("executor", &["core", "store"]),
    (
        "maquette",
        &[
            "core",
            "planner",
            "reporter",
            "interop",
            "picture",
            "hub",
            "diffusion",
            "store",
            "executor",
            "sketchbook",
        ],
    ),
    ("cli", &["maquette"]),
];

/// Outside crates, and the crates of ours that may use them.
const BELONGS_TO: &[(&str, &[&str])] = &[
    ("candle-core", &["diffusion", "kernels"]),
    ("candle-nn", &["diffusion", "kernels"]),
    ("gemm", &["kernels"]),
    ("tokenizers", &["diffusion"]),
    ("safetensors", &["diffusion"]),
    ("toml", &["planner"]),
    ("toml_edit", &["planner"]),
    ("ureq", &["hub"]),
    ("sha2", &["hub"]),
    ("csv", &["store"]),
    ("png", &["picture"]),
    ("image", &["picture"]),
    ("kamadak-exif", &["picture"]),
    ("cosmic-text", &["reporter"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
];

/// The longest a source file may grow before it must be cut by subject.
const LONGEST: usize = 450;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names under `[dependencies]` (and its per-target forms) of a crate.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies") && !section.contains("dev-");
        } else if inside && let Some((key, _)) = line.split_once(['=', '.']) {
            found.insert(key.trim().to_owned());
        }
    }
    found
}

fn sources(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            sources(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root().join("crates"), ".rs", &mut found);
    sources(&root().join("tests"), ".rs", &mut found);
    found
}

#[test]
fn no_arrow_points_up() {
    let mut crates: Vec<_> =
        fs::read_dir(root().join("crates")).unwrap().map(|e| e.unwrap().file_name()).collect();
    crates.sort();
    let mut known: Vec<_> = MAY_USE.iter().map(|(name, _)| std::ffi::OsString::from(name)).collect();
    known.sort();
    assert_eq!(crates, known, "a crate came or went: say here what it may use");
    for (name, allowed) in MAY_USE {
        for dependency in dependencies(name) {
            let ours = if dependency == "maquette" {
                Some("maquette")
            } else {
                dependency.strip_prefix("maquette-")
            };
            if let Some(ours) = ours {
                assert!(allowed.contains(&ours), "crates/{name} may not use crates/{ours}");
            }
        }
    }
}

#[test]
fn outside_crates_stay_where_they_belong() {
    for (name, _) in MAY_USE {
        let used = dependencies(name);
        for (outside, owners) in BELONGS_TO {
            assert!(
                owners.contains(name) || !used.contains(*outside),
                "`{outside}` belongs to {owners:?}, not crates/{name}"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with a `//!` line", file.display());
    }
}

#[test]
fn files_stay_small() {
    for file in rust_files() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines; cut it by subject", file.display());
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for file in rust_files() {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let vague = ["util", "utils", "helper", "helpers", "common", "misc", "imp"];
        assert!(!vague.contains(&stem.as_str()), "{}: name it after its subject", file.display());
    }
}

#[test]
fn every_dependency_says_why() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let mut reason = false;
    for line in section.lines() {
        match line.trim_start() {
            "" => reason = false,
            comment if comment.starts_with('#') => reason = true,
            dependency => assert!(reason, "no comment says why: {dependency}"),
        }
    }
}
