//! Guards: the range below a stack that nobody may touch, so that an overflow is a fault and not a silent overwrite.
//!
//! A guard is 64 KiB, not a page. Rust touches a large frame page by page from the top down, but C that was compiled
//! without stack probes moves its stack pointer over a whole frame at once, and would jump over one page.
//!
//! Two ways to make one:
//!
//! | way | since | cost | limit |
//! |---|---|---|---|
//! | `madvise(MADV_GUARD_INSTALL)` | Linux 6.13 | markers in the page tables; the mapping stays one | none |
//! | `mprotect(PROT_NONE)` | always | cuts the mapping: two more for each stack | `vm.max_map_count` (65,530) |
//!
//! The first is tried until the kernel refuses it once; from then on the process uses the second.

use std::io;

use super::StackShortage;
#[cfg(feature = "faults")]
use crate::faults;
use crate::primitive::{AtomicBool, Ordering};

/// The size of a guard in bytes; one page where pages are larger.
pub(super) const SIZE: usize = 64 << 10;

/// `MADV_GUARD_INSTALL`: the same on every architecture, and not yet in `libc`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Set once the kernel has refused the advice. Relaxed: it guards no memory, and who misses the news asks once more.
static IS_REFUSED: AtomicBool = AtomicBool::new(cfg!(not(any(target_os = "linux", target_os = "android"))));

/// Why there is no guard.
#[derive(Debug)]
pub(super) struct Refused {
    /// What ran out.
    pub(super) shortage: StackShortage,
    /// What the kernel said.
    pub(super) error: io::Error,
}

/// Makes every access to the `len` bytes at `start` a fault.
///
/// # Safety
/// 1. The range is made of whole pages, and lies in one private anonymous mapping of the caller's.
/// 2. Nobody uses it: what it held is lost.
pub(super) unsafe fn install(start: usize, len: usize) -> Result<(), Refused> {
    #[cfg(feature = "faults")]
    faults::fail(faults::Site::Guard).map_err(|error| Refused { shortage: StackShortage::Memory, error })?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !IS_REFUSED.load(Ordering::Relaxed) {
        // SAFETY: only this range changes, and nobody wants what it held (duties 1 and 2).
        if unsafe { libc::madvise(start as *mut _, len, MADV_GUARD_INSTALL) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // The kernel has no memory for page tables, and mprotect cannot change that.
        if error.raw_os_error() == Some(libc::ENOMEM) {
            return Err(Refused { shortage: StackShortage::Memory, error });
        }
        // EINVAL: the kernel does not know the advice, or does not take it for locked memory. A filter of system calls
        // may say something else. mprotect has the last word.
        IS_REFUSED.store(true, Ordering::Relaxed);
    }
    // SAFETY: the duties are the same.
    unsafe { protect(start, len) }
}

/// The second way, for any Unix.
///
/// # Safety
/// As for [`install`].
unsafe fn protect(start: usize, len: usize) -> Result<(), Refused> {
    // SAFETY: only this range changes, and nobody uses it (duties 1 and 2).
    if unsafe { libc::mprotect(start as *mut _, len, libc::PROT_NONE) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    let shortage = match error.raw_os_error() {
        Some(libc::ENOMEM) => StackShortage::Mappings,
        _ => StackShortage::Guard,
    };
    Err(Refused { shortage, error })
}

/// Makes this process take the second way, as on a kernel before Linux 6.13.
#[cfg(test)]
pub(super) fn refuse_advice() {
    IS_REFUSED.store(true, Ordering::Relaxed);
}
