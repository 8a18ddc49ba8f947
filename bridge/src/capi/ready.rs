//! Waiting until a file is ready, for C functions on green threads.

use super::codes::{Code, GB_EINVAL};
use super::entry::entry;
use crate::net;
use std::ffi::c_int;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Waits until fd is readable: there are bytes, a connection or a datagram, the other side has
/// closed it, or it has an error. It waits for at most that many milliseconds: with 0 it asks
/// and does not wait, and with a negative number it waits for as long as it takes.
///
/// fd may be blocking or not, and it may be somebody else's; it stays open during the wait. A
/// regular file is always ready, and reading it may block all the same: it is refused.
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works, and may wait
/// for ever.
/// Errors: GB_ETIMEDOUT, GB_EINVAL (fd is not open, or of a kind that cannot be waited for),
/// GB_EAGAIN (the system has no file descriptor or memory left for it), and those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_wait_readable(fd: c_int, timeout_ms: c_int) -> c_int {
    wait(fd, timeout_ms, net::wait_readable, net::wait_readable_timeout)
}

/// Waits until fd is writable: there is room, or the other side has closed it, or it has an
/// error. A connection that is being made is writable when that is over. Otherwise as
/// gb_wait_readable().
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works, and may wait
/// for ever.
/// Errors: those of gb_wait_readable().
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_wait_writable(fd: c_int, timeout_ms: c_int) -> c_int {
    wait(fd, timeout_ms, net::wait_writable, net::wait_writable_timeout)
}

fn wait(
    fd: c_int,
    timeout_ms: c_int,
    forever: fn(BorrowedFd<'_>) -> io::Result<()>,
    within: fn(BorrowedFd<'_>, Duration) -> io::Result<()>,
) -> c_int {
    entry(|| {
        if fd < 0 {
            return Err(Code(GB_EINVAL));
        }
        // SAFETY: by the header's contract it stays open; one that is not is an error of the first system call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        match u64::try_from(timeout_ms) {
            Ok(timeout) => within(fd, Duration::from_millis(timeout)),
            Err(_) => forever(fd),
        }
        .map_err(|error| Code::from(&error))
    })
}
