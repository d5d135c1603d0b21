//! The peak memory of this process.

/// Peak memory in bytes; `None` where the system does not report it.
pub(crate) fn peak() -> Option<u64> {
    // Only Linux has this file; elsewhere there is no estimate of memory.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
