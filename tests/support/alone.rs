//! A process without the OS threads of the test harness: those could wake anybody, as far as the runtime knows.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body` in a process with no other OS thread, forked before the first use, and returns its wait status: it exits with 0, or with 1
/// if `body` panics.
pub(crate) fn alone(body: impl FnOnce()) -> i32 {
    // SAFETY: the child goes on with its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        let result = catch_unwind(AssertUnwindSafe(|| {
            assert_eq!(super::thread_count(), 1);
            body();
        }));
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}
