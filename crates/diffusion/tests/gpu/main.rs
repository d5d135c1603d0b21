//! The fixtures on a GPU against the CPU and diffusers: `just test-gpu`. Compiled only in builds with a GPU's feature, so
//! that a test that cannot run does not pass.
//!
//! Each test reports alone, with lines of a table under `--nocapture --test-threads=1`. Environment variables:
//!
//! - `MAQUETTE_TEST_DEVICE`: the device, by default the best one that is no CPU. `cpu` checks the tests themselves.
//! - `MAQUETTE_FIXTURES`: the folder of the fixtures, in a copy of the source tree, where the test program runs on another
//!   machine than the compiler.

#[path = "../engine/added_cases.rs"]
mod added_cases;
mod batches;
#[path = "../engine/cases.rs"]
mod cases;
#[path = "../engine/checked_cases.rs"]
mod checked_cases;
#[path = "../engine/composed.rs"]
mod composed;
#[path = "../copies/mod.rs"]
mod copies;
mod features;
mod flow;
#[path = "../engine/flow_cases.rs"]
mod flow_cases;
mod pairs;
mod parts;
mod pictures;
#[path = "../engine/stored.rs"]
mod stored;

use maquette_core::Dtype;
use maquette_diffusion::DeviceName;

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

/// The device under test.
fn device() -> DeviceName {
    if let Ok(word) = std::env::var("MAQUETTE_TEST_DEVICE") {
        return word.parse().unwrap();
    }
    let device = DeviceName::auto();
    assert_ne!(device, DeviceName::Cpu, "no GPU can be used on this machine");
    device
}
