//! Fuzzes `picks` of `crates/fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| maquette_fuzzing::run("picks", input));
