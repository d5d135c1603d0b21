//! How much memory this process took at most.

/// Bytes; `None` where the system does not say.
pub(crate) fn peak() -> Option<u64> {
    // Linux alone says it in a file; elsewhere estimates go without.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
