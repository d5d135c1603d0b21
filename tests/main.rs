//! End-to-end tests of the binary: arguments, text, exit codes, signals, environment; and the checks of the architecture.
//!
//! What needs no terminal is tested in `crates/maquette/tests`.

mod again;
mod architecture;
mod bad_input;
mod bucket;
mod crash;
mod diff;
mod examples;
mod housekeeping;
mod hub;
#[allow(dead_code, reason = "some of it is for the tests of the hub and the library alone")]
mod hub_server;
mod huge_picture;
mod line;
mod manual;
mod measure;
mod moved;
mod offload;
mod old_runs;
mod prompts;
mod review;
mod s3_server;
mod spread;
mod support;
mod workers;
