//! Every input in `fuzz/corpus` is read by its target, within seconds, without a panic.

use maquette_fuzzing::TARGETS;
use maquette_fuzzing::mutate::{Numbers, mutated};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More than any input takes, on a slow machine, in a debug build.
const LONGEST: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The inputs of a target, by path.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(root().join("corpus").join(name)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Inputs made from the known ones; the same number makes the same ones.
#[test]
fn inputs_near_the_known_ones_are_read() {
    for (name, target) in TARGETS {
        let known: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let mut numbers = Numbers(1);
        for _ in 0..50 {
            target(&mutated(&known, &mut numbers));
        }
    }
}

/// The same for a long time: `FUZZ_SECONDS=600 cargo test --workspace --test corpus -- --ignored --nocapture`, with `FUZZ_TARGET`
/// for one target and `FUZZ_SEED` for other inputs. An input that fails is kept in `fuzz/artifacts`.
#[test]
#[ignore = "takes as long as it is told to"]
#[expect(clippy::print_stdout, reason = "its figures are its result")]
fn soak() {
    let variable = |name: &str| std::env::var(name).ok();
    let seconds = variable("FUZZ_SECONDS").map_or(10, |text| text.parse().unwrap());
    let seed = variable("FUZZ_SEED").map_or(2, |text| text.parse().unwrap());
    let artifacts = root().join("artifacts");
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut failed = 0;
    for (name, target) in
        TARGETS.iter().filter(|(name, _)| variable("FUZZ_TARGET").is_none_or(|only| only == *name))
    {
        let known: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let (mut numbers, mut inputs, mut slowest) = (Numbers(seed), 0_u64, Duration::ZERO);
        let (start, before) = (Instant::now(), failed);
        while start.elapsed() < Duration::from_secs(seconds) && failed < before + 5 {
            let input = mutated(&known, &mut numbers);
            // Here if the process dies or hangs.
            let current = artifacts.join(format!("{name}-current"));
            std::fs::write(&current, &input).unwrap();
            let began = Instant::now();
            let read = std::panic::catch_unwind(|| target(&input));
            slowest = slowest.max(began.elapsed());
            if read.is_err() || began.elapsed() > LONGEST {
                failed += 1;
                std::fs::rename(&current, artifacts.join(format!("{name}-{inputs}"))).unwrap();
            } else {
                std::fs::remove_file(&current).unwrap();
            }
            inputs += 1;
        }
        println!(
            "{name}: {inputs} inputs in {:?}, slowest {slowest:?}, {} failed",
            start.elapsed(),
            failed - before
        );
    }
    assert_eq!(failed, 0, "see fuzz/artifacts");
}

#[test]
fn every_input_is_read() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for (path, input) in inputs {
            let start = Instant::now();
            let read = std::panic::catch_unwind(|| target(&input));
            assert!(read.is_ok(), "{} makes {name} panic", path.display());
            assert!(start.elapsed() < LONGEST, "{} takes {:?}", path.display(), start.elapsed());
        }
    }
}

#[test]
fn every_target_can_be_fuzzed() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&root().join("fuzz_targets")), targets);
    assert_eq!(names(&root().join("corpus")), targets);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in targets {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
    }
}
