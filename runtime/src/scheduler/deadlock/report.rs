//! The report of a deadlock: who waits, for what and where, who was spawned where, and what keeps whom on its OS thread.
//!
//! ```text
//! greenbridge: deadlock: all green threads wait, and nobody is left to wake them
//!
//! green thread 'reader' (#5), spawned at src/main.rs:10:5
//!     waits for a message at src/main.rs:12:20
//!     is pinned to worker 3: C is on its stack
//! 998 green threads, spawned at src/main.rs:14:9: #6, #7, #8, #9 and 994 more
//!     each waits for the end of another green thread at src/main.rs:15:13
//! ```
//!
//! It is made of the parts of a dump (`dump.rs`), which also holds for a million green threads; here nobody runs, so all is as it is read.

use crate::dump::group::Limits;
use crate::dump::waiting;
use crate::stderr::write_to_stderr;
use core::fmt::Write;

/// What is told at most.
const LIMITS: Limits = Limits { groups: 250, members: 4 };

/// Writes the report to stderr, and ends the process with status 2.
///
/// Not by `exit`: what is registered there may wait for a green thread, and then there would be no end. Not through std's stderr: a
/// green thread may wait with its lock. So what is buffered elsewhere is lost, as it is when a process aborts.
pub(super) fn end() -> ! {
    // SAFETY: nobody runs but the monitor, and it never will.
    let who = unsafe { describe() };
    let text = format!(
        "greenbridge: deadlock: all green threads wait, and nobody is left to wake them\n\n{who}\n\
         No timer is armed, no C runs, and the process has no other OS thread. Most often green threads wait for each other, \
         or for a channel whose other end is kept by one that waits itself.\n\
         If something that the runtime cannot know of is to wake them: Builder::deadlock_detection(false), or \
         GREENBRIDGE_DEADLOCK_DETECTION=off in the environment.\n"
    );
    write_to_stderr(text.as_bytes());
    // SAFETY: ends the process, whatever state it is in.
    unsafe { libc::_exit(2) }
}

/// All green threads that wait, and all OS threads that block in a wait, in lines.
///
/// # Safety
/// No green thread runs, or is made ready or resumed meanwhile, but for the caller; and the caller has seen this in a way that orders their
/// last turns before this call.
pub(crate) unsafe fn describe() -> String {
    let mut text = String::new();
    // SAFETY: as for this function.
    let (groups, more) = unsafe { waiting(LIMITS) };
    let written = groups.iter().try_for_each(|group| write!(text, "{group}"));
    let written = written.and_then(|()| if more > 0 { writeln!(text, "and {more} more") } else { Ok(()) });
    written.expect("infallible");
    text
}
