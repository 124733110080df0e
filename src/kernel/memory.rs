//! How much memory the process holds, and what becomes of what it frees.

/// Keeps freed memory in the process instead of handing it back to the system, for the life of the process. A step of
/// training frees and asks for the same gigabyte again; without this, a sixth of its time goes into faulting in pages that
/// the system has just cleared. Changes nothing but speed, and nothing at all without the GNU C library.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes two numbers, locks the allocator itself, and touches no memory that is in use.
    unsafe {
        // -1 is the largest threshold: the heap is never trimmed.
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        libc::mallopt(libc::M_MMAP_MAX, 0);
    }
}

/// Most memory the process has held since it began, MiB: `VmHWM` of `/proc/self/status`; `None` where there is none.
pub fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    high_water_mark(&status)
}

/// Peak resident memory in MiB from the text of a Linux process status.
fn high_water_mark(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_mib() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    3072 kB\nThreads:\t1\n";
        assert_eq!(high_water_mark(status), Some(3.0));
        assert_eq!(high_water_mark("Name:\tx\n"), None);
    }
}
