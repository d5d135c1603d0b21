//! The peak memory of this process, and the memory of this machine.

use std::fs::read_to_string;

/// Peak memory in bytes; `None` where the system does not report it.
pub(crate) fn peak() -> Option<u64> {
    // Only Linux has this file; elsewhere there is no estimate of memory.
    field(&read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The memory of this machine in bytes, or of the container that the process is in; `None` where the system does not report it.
pub(crate) fn total() -> Option<u64> {
    let machine = field(&read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let container = read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|limit| limit.trim().parse::<u64>().ok());
    Some(container.map_or(machine, |limit| limit.min(machine)))
}

/// A number of kilobytes in a file of lines such as `VmHWM:  123 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
