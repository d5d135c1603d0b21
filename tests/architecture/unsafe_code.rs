//! `unsafe` is allowed in the kernels, and in two places of the engine; every block says why it is sound.

use super::{MAY_USE, root, rust_files};
use std::fs;

/// The crates that may have unsafe code; all others forbid it, so that the compiler refuses it.
const MAY: [&str; 2] = ["kernels", "diffusion"];

/// The files of the engine with unsafe code. Mapping a weight file is unsafe by its nature: another program could change the
/// file meanwhile. CUDA's memory pool has no safe interface, and the device that owns it is the engine's.
const IN_THE_ENGINE: [&str; 2] =
    ["crates/diffusion/src/weights/content.rs", "crates/diffusion/src/device/cuda.rs"];

#[test]
fn other_crates_forbid_unsafe_code() {
    for (name, _) in MAY_USE.iter().filter(|(name, _)| !MAY.contains(name)) {
        let source = root().join("crates").join(name).join("src");
        let top = ["lib.rs", "main.rs"].map(|file| source.join(file)).into_iter().find(|file| file.is_file());
        let text = fs::read_to_string(top.unwrap()).unwrap();
        assert!(text.contains("\n#![forbid(unsafe_code)]\n"), "crates/{name} does not forbid unsafe code");
    }
}

#[test]
fn unsafe_code_of_the_engine_is_in_two_files() {
    let mut found: Vec<String> = Vec::new();
    for file in rust_files() {
        let shown = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let allows = fs::read_to_string(&file).unwrap().contains("[allow(unsafe_code)]");
        if allows && shown.starts_with("crates/diffusion/src") {
            found.push(shown);
        }
    }
    found.sort();
    let mut expected = IN_THE_ENGINE.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_unsafe_block_says_why() {
    for file in rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let block = code.contains("unsafe {") || code.contains("unsafe impl");
            if block && !code.contains('"') {
                let before = &lines[number.saturating_sub(8)..number];
                let says = before.iter().any(|line| line.trim_start().starts_with("// SAFETY:"));
                assert!(says, "{}:{}: no `// SAFETY:` before it", file.display(), number + 1);
            }
        }
    }
}
