//! The errno of a C call, read where it is still that call's.

use std::ffi::c_int;

/// Runs `f`, and returns the errno that it left, 0 if it set none.
///
/// It is read on the same OS thread, before the scheduler has a chance to run anything.
#[inline]
pub(crate) fn with_errno<R>(f: impl FnOnce() -> R) -> (R, c_int) {
    // SAFETY: a valid address of this OS thread's errno; nothing between here and the read moves the green thread, for C frames, or
    // the frame of the way to call, pin it.
    unsafe {
        *libc::__errno_location() = 0;
        let result = f();
        (result, *libc::__errno_location())
    }
}
