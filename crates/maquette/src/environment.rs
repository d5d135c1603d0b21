//! What the library takes from its process: the only place that reads environment variables or the current folder.

use std::path::PathBuf;

/// What the library takes from its process. [`Workspace::open`](crate::Workspace::open) reads it;
/// [`Workspace::with_environment`](crate::Workspace::with_environment) takes another.
#[derive(Clone)]
pub struct Environment {
    /// Where the hub and its cache are, and as whom to ask.
    pub hub: maquette_hub::Environment,
    /// Where the person is: one of the places where files named by a picture are looked for. `None` where the system
    /// does not say.
    pub folder: Option<PathBuf>,
    /// `MAQUETTE_FAKE_FAIL_ON`: prompts with this text in them fail on the fake backend; for tests.
    pub fake_fail_on: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Environment {
        Environment {
            hub: maquette_hub::Environment::read(),
            folder: std::env::current_dir().ok(),
            fake_fail_on: std::env::var("MAQUETTE_FAKE_FAIL_ON").ok(),
        }
    }
}
