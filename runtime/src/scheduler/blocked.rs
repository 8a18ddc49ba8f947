//! The OS threads that block in a wait of the runtime's: who they are, and what they wait for.
//!
//! A wait that cannot switch away blocks its OS thread (`wait/park.rs`). Such a thread has a [`Seat`], and is listed here from when it has
//! looked in vain until somebody wakes it. Whoever wakes it takes it off the list *before* that; so a listed thread has not been woken, and
//! a woken one is not listed. `deadlock.rs` builds on that.
//!
//! | step | who | under the lock |
//! |---|---|---|
//! | [`Seat::look`] | the thread, before it looks | forgets that it was woken (without the lock) |
//! | [`Seat::sit`] | the thread, after it has looked in vain | lists it, unless it has been woken meanwhile |
//! | [`Seat::call`] | who wakes it, before the unpark | remembers that, and takes it off the list |
//! | drop of [`Seated`] | the thread, when it is up again | takes it off the list, if it came back for nothing |
//!
//! *Look* is a swap, and reads what an earlier *Call* wrote: so the look that follows sees what the caller did before. A *Call* that comes after *Look*
//! and before *Sit* makes *Sit* fail; one that comes after *Sit* ends it.
//!
//! A thread that waits until a deadline is not listed: it gets up by itself.
//!
//! # What it must never do
//! Wake anybody under its lock, or take another.

use super::runtime::is_forked;
use crate::green::thread::Head;
use crate::primitive::{AtomicBool, Mutex, Ordering, lock_briefly};
use crate::wait::Waits;
use core::ptr;
use core::task::Waker;
use std::collections::BTreeMap;
use std::time::Instant;

/// An OS thread of the process, by the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OsThread(pub(crate) u32);

impl OsThread {
    /// The caller's. A system call.
    pub(crate) fn current() -> Self {
        // SAFETY: no arguments, no memory.
        Self(unsafe { libc::gettid() }.cast_unsigned())
    }
}

/// One that blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocked {
    pub(crate) thread: OsThread,
    /// Tells this stay on the list from every other.
    pub(crate) stay: u64,
    /// The green thread that waits in this way; null if the OS thread waits for itself. For comparison alone.
    pub(crate) green: *const Head,
    pub(crate) waits: Waits,
    pub(crate) since: Instant,
}

// SAFETY: the pointer is compared, and never followed.
unsafe impl Send for Blocked {}

struct List {
    /// By the addresses of the seats; with what wakes them.
    blocked: BTreeMap<usize, (Blocked, Waker)>,
    stays: u64,
}

static LIST: Mutex<List> = Mutex::new(List { blocked: BTreeMap::new(), stays: 0 });

/// All that block: a moment's truth.
pub(crate) fn all() -> Vec<Blocked> {
    lock_briefly(&LIST).blocked.values().map(|(blocked, _)| *blocked).collect()
}

/// Lets the OS thread look again, if it blocks.
pub(super) fn wake(thread: OsThread) {
    let waker =
        lock_briefly(&LIST).blocked.values().find(|(blocked, _)| blocked.thread == thread).map(|(_, w)| w.clone());
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What an OS thread has in one wait. Whoever may wake it knows its seat.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Whether it has been woken since its last look.
    is_called: AtomicBool,
}

impl Seat {
    pub(crate) const fn new() -> Self {
        Self { is_called: AtomicBool::new(false) }
    }

    fn key(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// The thread is about to look.
    pub(crate) fn look(&self) {
        // Acquire, and a swap, so that it reads from the last `call`: what the caller did before that is seen by the look.
        self.is_called.swap(false, Ordering::AcqRel);
    }

    /// The thread has looked in vain, and is about to block. If it has been woken meanwhile it is not listed, and will not block for long.
    pub(crate) fn sit(&self, green: *const Head, waits: Waits, waker: &Waker) -> Seated<'_> {
        let thread = OsThread::current();
        let mut list = lock_briefly(&LIST);
        if !self.is_called.load(Ordering::Relaxed) {
            list.stays += 1;
            let stay = list.stays;
            let since = Instant::now();
            list.blocked.insert(self.key(), (Blocked { thread, stay, green, waits, since }, waker.clone()));
        }
        Seated(self)
    }

    /// Whether it has been woken since its last look. In a forked child nobody says so.
    pub(crate) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::Relaxed) || is_forked()
    }

    /// Somebody is about to wake the thread.
    pub(crate) fn call(&self) {
        // In a forked child nobody looks at the list, and its lock may have been held at the fork.
        if is_forked() {
            return;
        }
        let mut list = lock_briefly(&LIST);
        self.is_called.store(true, Ordering::Release);
        list.blocked.remove(&self.key());
    }
}

/// Until it is dropped the thread may be listed.
#[derive(Debug)]
pub(crate) struct Seated<'a>(&'a Seat);

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        if !self.0.is_called.load(Ordering::Relaxed) {
            lock_briefly(&LIST).blocked.remove(&self.0.key());
        }
    }
}
