//! Checks of the architecture: which crate may depend on which, how files begin, how long they may be.
//! ARCHITECTURE.md gives the reasons.

mod circles;
mod must_not;
mod unsafe_code;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace crates that each crate may use. Tests may use more.
const MAY_USE: &[(&str, &[&str])] = &[
    ("bucket", &[]),
    ("core", &[]),
    ("files", &[]),
    ("kernels", &[]),
    ("sketchbook", &[]),
    ("tokenizer", &[]),
    ("share", &[]),
    ("picture", &["core", "files"]),
    ("planner", &["core", "files"]),
    ("reporter", &["core", "analysis"]),
    ("analysis", &["core"]),
    ("metrics", &["core", "files", "picture", "sketchbook", "tokenizer"]),
    ("hub", &["core", "files"]),
    ("interop", &["core", "files", "picture"]),
    ("diffusion", &["core", "files", "kernels", "picture", "tokenizer"]),
    ("trainer", &["core", "diffusion", "kernels"]),
    ("store", &["core", "files", "picture", "interop", "share", "bucket"]),
    ("executor", &["core", "store", "share"]),
    (
        "maquette",
        &[
            "core",
            "files",
            "planner",
            "reporter",
            "interop",
            "picture",
            "hub",
            "diffusion",
            "trainer",
            "store",
            "executor",
            "sketchbook",
            "analysis",
            "metrics",
        ],
    ),
    ("fuzzing", &["core", "planner", "interop", "picture", "hub", "diffusion", "store"]),
    ("review", &["maquette"]),
    ("cli", &["maquette", "review"]),
];

/// External crates, and the workspace crates that may use them.
const MAY_BE_USED_BY: &[(&str, &[&str])] = &[
    ("candle-core", &["diffusion", "kernels", "metrics", "trainer"]),
    ("candle-nn", &["diffusion", "kernels", "metrics"]),
    ("candle-transformers", &["metrics"]),
    ("gemm", &["kernels"]),
    ("tokenizers", &["diffusion", "metrics"]),
    ("safetensors", &["diffusion", "metrics", "trainer"]),
    ("toml", &["planner"]),
    ("toml_edit", &["store"]),
    ("ureq", &["hub"]),
    ("sha2", &["hub", "maquette"]),
    ("csv", &["store"]),
    ("png", &["picture"]),
    ("image", &["picture", "metrics"]),
    ("axum", &["review"]),
    ("tokio", &["review", "bucket"]),
    ("futures-util", &["review", "bucket"]),
    ("object_store", &["bucket"]),
    ("reqwest", &["bucket"]),
    ("rustls", &["bucket"]),
    ("plotters", &["reporter"]),
    ("cosmic-text", &["reporter"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
];

/// The most lines of a source file; longer ones must be split by subject.
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
fn dependencies_point_downwards() {
    let mut crates: Vec<_> =
        fs::read_dir(root().join("crates")).unwrap().map(|e| e.unwrap().file_name()).collect();
    crates.sort();
    let mut known: Vec<_> = MAY_USE.iter().map(|(name, _)| std::ffi::OsString::from(name)).collect();
    known.sort();
    assert_eq!(crates, known, "a crate was added or removed: update `MAY_USE`");
    for (name, allowed) in MAY_USE {
        for dependency in dependencies(name) {
            let used = if dependency == "maquette" {
                Some("maquette")
            } else {
                dependency.strip_prefix("maquette-")
            };
            if let Some(used) = used {
                assert!(allowed.contains(&used), "crates/{name} may not use crates/{used}");
            }
        }
    }
}

#[test]
fn external_crates_are_used_only_where_allowed() {
    for (name, _) in MAY_USE {
        let used = dependencies(name);
        for (external, owners) in MAY_BE_USED_BY {
            assert!(
                owners.contains(name) || !used.contains(*external),
                "`{external}` may be used by {owners:?}, not by crates/{name}"
            );
        }
    }
}

#[test]
fn every_file_begins_with_a_description() {
    for file in rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with a `//!` line", file.display());
    }
}

#[test]
fn files_stay_small() {
    for file in rust_files() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines; split it by subject", file.display());
    }
}

#[test]
fn no_file_has_a_vague_name() {
    for file in rust_files() {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let vague = ["util", "utils", "helper", "helpers", "common", "misc", "imp"];
        assert!(!vague.contains(&stem.as_str()), "{}: name it after its subject", file.display());
    }
}

#[test]
fn every_dependency_is_listed_with_who_keeps_it() {
    let listed = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    for (name, _) in MAY_USE {
        for dependency in dependencies(name).iter().filter(|name| !name.starts_with("maquette")) {
            assert!(
                listed.contains(&format!("\n| {dependency} | ")),
                "docs/dependencies.md lacks {dependency}"
            );
        }
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let mut reason = false;
    for line in section.lines() {
        match line.trim_start() {
            "" => reason = false,
            comment if comment.starts_with('#') => reason = true,
            dependency => assert!(reason, "no comment gives the reason for: {dependency}"),
        }
    }
}
