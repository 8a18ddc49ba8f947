//! A wait under the loader's lock: an OS thread that waits in a constructor that `dlopen` runs, or in a destructor that `dlclose` runs.
//!
//! The loader holds its lock there. An OS thread that begins needs that lock, to register the destructors of its thread-local variables; if
//! the caller waits for something that such a thread would do, both wait for ever. In most cases all that is needed runs already, and the wait
//! ends; so a wait is not refused for where it is made, but for holding another thread up.
//!
//! That is known exactly, and without asking the loader, which has no such question: the lock is a mutex of the C library's, in the
//! loader's own memory; whoever waits for it does so in a system call with its address, which `/proc` tells; and the number of its owner is the
//! third word of the mutex, by the ABI of glibc. If the owner is the caller, and somebody waits, that one
//! waits for the caller, and will for as long as the caller waits.
//!
//! # When it looks
//! After a wait has lasted for [`PATIENCE`], then for twice as long, and so on: an OS thread that waits for an hour looks twelve times. A green
//! thread that has switched away is not looked after: the OS thread that it is pinned to goes on with others.
//!
//! # What it must never do
//! Call the loader: the caller may hold its lock, and others wait for it.

use crate::primitive::{AtomicU32, Ordering};
use crate::scheduler::blocked::OsThread;
use core::ops::Range;
use std::fs;
use std::time::Duration;

/// Before the first look.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Where the owner of a mutex lies behind its futex word: after that and a count.
const OWNER: usize = 8;

/// Whether the caller holds a lock of the loader's that another OS thread of the process waits for.
#[cold]
pub(super) fn is_held_up_by_caller() -> bool {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return false };
    let me = OsThread::current();
    let waits = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("syscall")).ok());
    let mut futexes = waits.filter_map(|call| futex_waited_for(&call)).peekable();
    if futexes.peek().is_none() {
        return false;
    }
    let memory = memory_of_the_loader();
    futexes.any(|futex| memory.iter().any(|range| range.contains(&futex)) && owner(futex) == me)
}

/// The address of the futex, if this line of `/proc` is about a wait for one: the number of the call, and its arguments.
fn futex_waited_for(call: &str) -> Option<usize> {
    const WAIT: usize = libc::FUTEX_WAIT as usize;
    const PRIVATE: usize = libc::FUTEX_PRIVATE_FLAG as usize;
    let mut words = call.split_ascii_whitespace();
    let number: libc::c_long = words.next()?.parse().ok()?;
    let mut argument = || usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (futex, operation) = (argument()?, argument()?);
    (number == libc::SYS_futex && operation & !PRIVATE == WAIT && futex.is_multiple_of(align_of::<u32>()))
        .then_some(futex)
}

/// Where the loader has its variables. Nothing, if the program is linked statically.
fn memory_of_the_loader() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut ranges = Vec::new();
    for line in maps.lines() {
        let Some((range, rest)) = line.split_once(' ') else { continue };
        let is_loader = rest.rsplit('/').next().is_some_and(|name| name.starts_with("ld-") || name.starts_with("ld."));
        if is_loader
            && rest.starts_with("rw")
            && let Some((start, end)) = range.split_once('-')
            && let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16))
        {
            ranges.push(start..end.saturating_sub(OWNER));
        }
    }
    ranges
}

/// Who owns the mutex of this futex.
fn owner(futex: usize) -> OsThread {
    // SAFETY: an aligned word of the loader's writable memory, which is never unmapped. Others write it by whole words, atomically or under the
    // mutex, and a number that is read at the wrong moment is another thread's: only the caller itself writes the caller's.
    let owner = unsafe { &*core::ptr::with_exposed_provenance::<AtomicU32>(futex + OWNER) };
    OsThread(owner.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_a_futex_is_told_from_other_calls() {
        let line = |call: &str| futex_waited_for(call);
        let number = libc::SYS_futex;
        assert_eq!(line(&format!("{number} 0x7f00a0 0x80 0x2 0x0 0x0 0x0 0x7ff 0x7f")), Some(0x7f_00a0));
        assert_eq!(line(&format!("{number} 0x7f00a0 0x0 0x2 0x0 0x0 0x0 0x7ff 0x7f")), Some(0x7f_00a0));
        // With a deadline, as our own parker does; another call; one that runs.
        assert_eq!(line(&format!("{number} 0x7f00a0 0x89 0x0 0x0 0x0 0x0 0x7ff 0x7f")), None);
        assert_eq!(line("0 0x0 0x80 0x2 0x0 0x0 0x0 0x7ff 0x7f"), None);
        assert_eq!(line("running"), None);
    }

    #[test]
    fn nobody_is_held_up_by_who_holds_nothing() {
        assert!(!is_held_up_by_caller());
        assert!(!memory_of_the_loader().is_empty(), "the loader has variables");
    }
}
