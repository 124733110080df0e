//! What becomes of freed memory.
#![allow(unsafe_code)]

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
