//! What the fuzz targets do with their inputs: every reader of files from other people is called here, once.
//!
//! `fuzz/` calls these functions with inputs that libFuzzer makes up; `tests/corpus.rs` calls them with the inputs in
//! `fuzz/corpus`, on every run of the tests. A reader may refuse an input, but must not panic, run for seconds, or take memory
//! beyond its limits.

#![forbid(unsafe_code)]

mod experiments;
mod folder;
mod models;
pub mod mutate;
mod pictures;
mod runs;

/// Reads an input.
pub type Target = fn(&[u8]);

/// Every target, by its name in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 17] = [
    ("experiment", experiments::experiment),
    ("list", experiments::list),
    ("dialect", experiments::dialect),
    ("plan", runs::plan),
    ("log", runs::log),
    ("picks", runs::picks),
    ("votes", runs::votes),
    ("names", runs::names),
    ("picture", pictures::picture),
    ("exif", pictures::exif),
    ("texts", pictures::texts),
    ("checkpoint", models::checkpoint),
    ("lora", models::lora),
    ("tokenizer", models::tokenizer),
    ("embedding", models::embedding),
    ("config", models::config),
    ("hub", models::hub),
];

/// Calls the target of that name.
///
/// # Panics
///
/// If there is none, and where the target fails.
pub fn run(name: &str, input: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("the name of a target");
    target(input);
}
