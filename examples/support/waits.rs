//! What the loop around a C library that owns its sockets waits with, in place of `poll(2)`. In C: `waits.h`.

use greenbridge::cancel::CancelToken;
use greenbridge::net::{self, PollFd};
use std::ffi::c_int;
use std::slice;
use std::time::Duration;

/// Who may cancel the waits of a loop.
#[derive(Debug)]
pub(crate) struct Waits(pub(crate) CancelToken);

/// Waits for the first of `count` files. C's frames stay on the stack, and nothing may unwind past them: what cancels the loop ends the wait here,
/// and the loop is told.
#[greenbridge::export(fallback = -1)]
#[unsafe(no_mangle)]
extern "C" fn waits_poll(waits: &Waits, files: *mut PollFd<'_>, count: usize, timeout_ms: c_int) -> c_int {
    let files = match count {
        0 => &mut [],
        // SAFETY: C passes so many `struct pollfd`s of its own, of files that it keeps open meanwhile.
        _ => unsafe { slice::from_raw_parts_mut(files, count) },
    };
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    match waits.0.run(|| net::poll(files, timeout)) {
        Ok(Ok(ready)) => ready as c_int,
        Ok(Err(_)) | Err(_) => -1,
    }
}
