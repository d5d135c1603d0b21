//! The process environment: the only file that reads environment variables or the current folder.

use std::path::PathBuf;
use std::time::Duration;

/// What the library reads from its process. [`Workspace::open`](crate::Workspace::open) reads it;
/// [`Workspace::with_environment`](crate::Workspace::with_environment) takes another.
#[derive(Clone)]
pub struct Environment {
    /// The addresses of the hub and its cache, and the token.
    pub hub: maquette_hub::Environment,
    /// The current folder, one of the places where files named by a picture are looked for. `None` if it is unknown.
    pub folder: Option<PathBuf>,
    /// The variables whose names begin with `AWS_`: keys, region and endpoint of buckets.
    pub aws: Vec<(String, String)>,
    /// `MAQUETTE_BUCKET_PATIENCE`: for how many seconds requests to a bucket are repeated that fail in passing; 180 if `None`.
    pub bucket_patience: Option<Duration>,
    /// `MAQUETTE_FAKE_FAIL_ON`: prompts that contain this text fail on the fake backend; for tests.
    pub fake_fail_on: Option<String>,
    /// `MAQUETTE_FAKE_PANIC_ON`: the fake backend panics on prompts that contain this text; for tests.
    pub fake_panic_on: Option<String>,
    /// `MAQUETTE_FAKE_PAUSE`: how long each step of the fake backend takes, in milliseconds; for tests.
    pub fake_pause: Option<u64>,
}

/// The file of this program; `None` if the system does not say.
pub(crate) fn program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Environment {
        Environment {
            hub: maquette_hub::Environment::read(),
            folder: std::env::current_dir().ok(),
            aws: aws_variables(),
            bucket_patience: std::env::var("MAQUETTE_BUCKET_PATIENCE")
                .ok()
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs),
            fake_fail_on: std::env::var("MAQUETTE_FAKE_FAIL_ON").ok(),
            fake_panic_on: std::env::var("MAQUETTE_FAKE_PANIC_ON").ok(),
            fake_pause: std::env::var("MAQUETTE_FAKE_PAUSE").ok().and_then(|text| text.parse().ok()),
        }
    }
}

/// Variables that are not Unicode are left out.
fn aws_variables() -> Vec<(String, String)> {
    // `vars` would panic on them.
    let texts = std::env::vars_os().map(|(name, value)| (name.into_string(), value.into_string()));
    let texts = texts.filter_map(|(name, value)| Some((name.ok()?, value.ok()?)));
    texts.filter(|(name, _)| name.starts_with("AWS_")).collect()
}
