//! What the source of a crate must not name: files, clocks, the environment, the terminal. ARCHITECTURE.md says why.

use super::circles::Names;
use super::{root, sources};
use std::fs;

/// Crates, paths that they must not name outside tests, and files that may all the same.
const MUST_NOT: &[(&[&str], &[&str], &[&str])] = &[
    (PURE, &["std::fs", "std::net", "std::env", "std::process", "std::thread", "tempfile"], &[]),
    // Nothing depends on the time of day, and only the engine measures how long something takes.
    (
        &["core", "planner", "interop", "picture", "reporter", "store", "executor", "kernels", "share"],
        &["std::time::Instant", "std::time::SystemTime"],
        &[],
    ),
    // Whoever finds a run locked is told the number of the process.
    (BELOW_CLI, &["std::process"], &["store/src/lock.rs"]),
    // Files come from other people: whole files are read within the limits of crates/files.
    (
        READERS,
        &["std::fs::read", "std::fs::read_to_string", "fs::read", "fs::read_to_string"],
        // The system's own files.
        &["maquette/src/memory.rs", "store/src/lock.rs", "cli/src/array_task.rs"],
    ),
    (BELOW_CLI, &["println", "eprintln", "print", "eprint", "std::io::stdout", "std::io::stderr"], &[]),
    (
        BELOW_CLI,
        &["std::env::var", "std::env::var_os", "std::env::vars", "std::env::args", "std::env::current_dir"],
        // Paths on the command line start at the current folder.
        &["maquette/src/environment.rs", "hub/src/environment.rs", "planner/src/overrides.rs"],
    ),
];

/// Crates that are functions of their arguments.
const PURE: &[&str] = &["core", "kernels", "reporter", "analysis", "tokenizer", "share", "trainer"];

/// Every crate that reads files of users.
const READERS: &[&str] = &[
    "planner",
    "store",
    "interop",
    "picture",
    "hub",
    "diffusion",
    "metrics",
    "executor",
    "maquette",
    "review",
    "cli",
];

/// Every crate but the binary's.
const BELOW_CLI: &[&str] = &[
    "bucket",
    "core",
    "kernels",
    "sketchbook",
    "tokenizer",
    "picture",
    "planner",
    "trainer",
    "reporter",
    "interop",
    "hub",
    "diffusion",
    "store",
    "executor",
    "share",
    "analysis",
    "metrics",
    "maquette",
    "review",
];

#[test]
fn crates_do_not_name_what_they_must_not_know() {
    let mut wrong = Vec::new();
    for (crates, forbidden, allowed) in MUST_NOT {
        for name in *crates {
            let mut files = Vec::new();
            sources(&root().join("crates").join(name).join("src"), ".rs", &mut files);
            for file in files {
                let shown = file.to_string_lossy().replace('\\', "/");
                let is_test = ["/tests/", "tests.rs"].iter().any(|part| shown.contains(part));
                if is_test || allowed.iter().any(|allowed| shown.ends_with(allowed)) {
                    continue;
                }
                let names = Names::of(&fs::read_to_string(&file).unwrap());
                let names_it = |path: &&&str| names.paths.iter().any(|named| starts_with(named, path));
                wrong.extend(forbidden.iter().filter(names_it).map(|path| format!("{shown} names {path}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn starts_with(named: &[String], path: &str) -> bool {
    let parts: Vec<&str> = path.split("::").collect();
    named.len() >= parts.len() && parts.iter().zip(named).all(|(part, named)| part == named)
}
