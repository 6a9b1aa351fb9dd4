//! The default memory limit.

/// Assumed memory in bytes if the machine does not report its size.
const UNKNOWN: u64 = 8 << 30;

/// Half of the memory of the machine or of the container's limit, whichever is smaller, in bytes.
pub(crate) fn default_limit() -> usize {
    let limits = [machine(), container()];
    let available = limits.into_iter().flatten().min().unwrap_or(UNKNOWN);
    usize::try_from(available / 2).unwrap_or(usize::MAX)
}

/// Memory of the machine in bytes, from `/proc/meminfo` if it exists.
fn machine() -> Option<u64> {
    total_of_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// Limit of the control group (version 2 or 1) in bytes, if there is one.
fn container() -> Option<u64> {
    let paths = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    paths.into_iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

fn total_of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo() {
        assert_eq!(total_of_meminfo("MemTotal:       16316412 kB\nMemFree: 1 kB\n"), Some(16_316_412 * 1024));
        assert_eq!(total_of_meminfo("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn there_is_always_a_limit() {
        assert!(default_limit() > 0);
    }
}
