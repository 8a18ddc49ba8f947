//! Waiting for files.

use super::codes::{Code, GB_EINVAL};
use super::entry::entry;
use crate::net::{self, PollFd};
use std::ffi::c_int;
use std::slice;
use std::time::Duration;

/// As poll(2): waits until one of count files is ready, and fills in revents of each. *ready,
/// unless ready is NULL, is how many are: 0 if the time was over first. timeout_ms is in
/// milliseconds; 0 asks and does not wait, a negative one waits for ever.
///
/// With it a loop around a library that owns its sockets, as libcurl's multi interface or c-ares,
/// runs on a green thread. The files stay open as long as it waits. POLLPRI is found when it asks,
/// but does not end a wait by itself.
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works.
/// Errors: GB_EINVAL (files is NULL and count is not 0, or a file cannot be waited for), GB_EAGAIN
/// (the system has no file descriptor or memory left for it), and those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_poll(
    files: *mut libc::pollfd,
    count: usize,
    timeout_ms: c_int,
    ready: *mut usize,
) -> c_int {
    if !ready.is_null() {
        // SAFETY: by the header's contract.
        unsafe { ready.write(0) };
    }
    entry(|| {
        let files: &mut [PollFd<'_>] = match count {
            0 => &mut [],
            _ if files.is_null() => return Err(Code(GB_EINVAL)),
            // SAFETY: by the header's contract so many are there, and their files stay open; a `PollFd` is a `pollfd` in memory.
            _ => unsafe { slice::from_raw_parts_mut(files.cast(), count) },
        };
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        let found = net::poll(files, timeout).map_err(|error| Code::from(&error))?;
        if !ready.is_null() {
            // SAFETY: by the header's contract.
            unsafe { ready.write(found) };
        }
        Ok(())
    })
}
