//! The time of day, for what is shown and for the age of files. Nothing rendered depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "shown, or compared with the age of files; no result depends on it"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
