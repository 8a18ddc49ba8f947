//! The reactor: who knows which files somebody may wait for, and fetches their events.
//!
//! ```text
//!   Source ──► Slot ──► epoll            register: once, lazily, both ways, by edges
//!   whoever has the turn: epoll ──► Batch ──► Slot ──► Waker          fetch: one at a time; deliver: each event once
//! ```
//!
//! It is made at the first registration, so a program without sockets has none of it. Who fetches, and when, is the scheduler's business:
//! `scheduler/time.rs`. To fetch takes the *turn*, a lock: the keeper of the time has it while it sleeps here, and a worker that finds it
//! taken goes on without. What was fetched lies in a [`Batch`] until it is delivered, and a batch that is dropped delivers itself: the
//! kernel reports an edge once.
//!
//! # What it must never do
//! Know a green thread: it calls wakers. Deliver under any lock but the turn.

use super::clock::Moment;
use super::poller::{Poller, Queue, RESERVED};
use super::readiness::Seen;
use super::slot::{Registered, Slot};
use crate::metrics::count::Shared;
use crate::primitive::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, lock, lock_briefly};
use core::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{OnceLock, TryLockError};

/// The reactor, made or not.
pub(crate) struct Reactor {
    made: OnceLock<Made>,
    making: Mutex<()>,
}

/// How often the poller was asked.
pub(crate) static POLLS: Shared = Shared::new();

struct Made {
    poller: Poller,
    turn: Mutex<Queue>,
    slots: Mutex<Slots>,
    /// How many files are registered.
    registered: AtomicUsize,
    /// When a busy processor has fetched last.
    fetched: AtomicU64,
}

/// All slots.
struct Slots {
    made: Vec<&'static Slot>,
    free: Vec<&'static Slot>,
}

/// What a registration has come to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is the only one: whoever sleeps elsewhere must learn that there is something to wait for.
    First,
    /// Others are registered, too.
    Another,
}

impl Reactor {
    /// One that has not been made.
    pub(crate) const fn new() -> Self {
        Self { made: OnceLock::new(), making: Mutex::new(()) }
    }

    /// Whether any file is registered.
    #[inline]
    pub(crate) fn is_needed(&self) -> bool {
        // Relaxed: whoever registers the first file asks for the keeper after a fence (`keeper.rs`).
        self.made.get().is_some_and(|made| made.registered.load(Ordering::Relaxed) > 0)
    }

    fn made(&self) -> io::Result<&Made> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let _making = lock(&self.making);
        if self.made.get().is_none() {
            let made = Made::new().map_err(|(what, error)| Shortage::error(what, error))?;
            let _ = self.made.set(made);
        }
        Ok(self.made.get().expect("made just now, or by another"))
    }

    /// Registers `file`, unless another caller has by now, and gives its slot to `keep`. Returns what the caller has seen of it, who has
    /// tried an operation before.
    ///
    /// # Errors
    /// With what the system lacks; or `file` is of a kind that cannot be waited for.
    pub(crate) fn add(
        &self,
        file: BorrowedFd<'_>,
        is_known: impl Fn() -> bool,
        keep: impl FnOnce(&'static Slot),
    ) -> io::Result<(Seen, Added)> {
        let made = self.made()?;
        let mut slots = lock(&made.slots);
        if is_known() {
            // What was seen before that does not count.
            return Ok((Seen::NOTHING, Added::Another));
        }
        let slot = slots.take();
        let seen = slot.readiness.open();
        match made.register(file, slot) {
            Ok(registered) => {
                slot.keep(registered);
                keep(slot);
                drop(slots);
                let before = made.registered.fetch_add(1, Ordering::Relaxed);
                Ok((seen, if before == 0 { Added::First } else { Added::Another }))
            }
            Err(error) => {
                let _ = slot.close();
                slots.free.push(slot);
                Err(error)
            }
        }
    }

    /// The contrary. The file is still open.
    pub(crate) fn remove(&self, slot: &'static Slot) {
        let Some(made) = self.made.get() else { return };
        let registered = slot.close();
        match &registered {
            // An error means that it is not registered any more: C has closed it.
            Some(Registered::AsIs(file)) => drop(made.poller.remove(*file)),
            Some(Registered::Duplicate(file)) => drop(made.poller.remove(file.as_raw_fd())),
            None => {}
        }
        made.registered.fetch_sub(1, Ordering::Relaxed);
        lock(&made.slots).free.push(slot);
    }

    /// Whether anybody waits for a file: a moment's truth, exact when nothing runs.
    pub(crate) fn some_wait(&self) -> bool {
        self.made.get().is_some_and(|made| lock(&made.slots).made.iter().any(|slot| slot.is_awaited()))
    }

    /// Whether there are events that nobody has fetched: a moment's truth.
    pub(crate) fn has_events(&self) -> bool {
        self.made.get().is_some_and(|made| made.poller.has_events())
    }

    /// Fetches what is there, if it is nobody else's turn and there is anything.
    pub(crate) fn fetch(&self) -> Option<Batch<'_>> {
        let made = self.made.get()?;
        let queue = match made.turn.try_lock() {
            Ok(queue) => queue,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let mut batch = Batch(queue);
        POLLS.one();
        checked(batch.0.fetch());
        batch.or_none()
    }

    /// The same for a busy processor: not if somebody has done so within the last `apart` nanoseconds.
    pub(crate) fn fetch_now_and_then(&self, now: Moment, apart: Moment) -> Option<Batch<'_>> {
        let fetched = &self.made.get()?.fetched;
        if now.saturating_sub(fetched.load(Ordering::Relaxed)) < apart {
            return None;
        }
        fetched.store(now, Ordering::Relaxed);
        self.fetch()
    }

    /// The turn, for who is about to sleep here.
    pub(crate) fn take_turn(&self) -> Option<Turn<'_>> {
        Some(Turn(lock_briefly(&self.made.get()?.turn)))
    }

    /// Ends the sleep of who sleeps here, or else the next one.
    #[cold]
    pub(crate) fn call(&self) {
        if let Some(made) = self.made.get() {
            checked(made.poller.call());
        }
    }
}

impl Made {
    fn new() -> Result<Self, (&'static str, io::Error)> {
        let (poller, queue) = Poller::new()?;
        Ok(Self {
            poller,
            turn: Mutex::new(queue),
            slots: Mutex::new(Slots { made: Vec::new(), free: Vec::new() }),
            registered: AtomicUsize::new(0),
            fetched: AtomicU64::new(0),
        })
    }

    /// Registers `file` under the name of `slot`.
    fn register(&self, file: BorrowedFd<'_>, slot: &'static Slot) -> io::Result<Registered> {
        let name = core::ptr::from_ref(slot).expose_provenance();
        debug_assert!(name > RESERVED);
        let error = match self.poller.add(file.as_raw_fd(), name) {
            Ok(()) => return Ok(Registered::AsIs(file.as_raw_fd())),
            Err(error) => error,
        };
        match error.raw_os_error() {
            // Somebody else waits for it already: a file may be registered under each of its numbers.
            Some(libc::EEXIST) => {
                let duplicate = file
                    .try_clone_to_owned()
                    .map_err(|e| Shortage::error("a second number for a file that two wait for", e))?;
                self.poller
                    .add(duplicate.as_raw_fd(), name)
                    .map_err(|e| Shortage::error("a registration with epoll", e))?;
                Ok(Registered::Duplicate(duplicate))
            }
            Some(libc::EPERM) => Err(cannot_be_waited_for()),
            _ => Err(Shortage::error("a registration with epoll", error)),
        }
    }
}

impl Slots {
    /// A free slot, or a new one.
    fn take(&mut self) -> &'static Slot {
        self.free.pop().unwrap_or_else(|| {
            let slot: &'static Slot = Box::leak(Box::new(Slot::new()));
            self.made.push(slot);
            slot
        })
    }
}

/// The turn of somebody who is about to sleep.
pub(crate) struct Turn<'a>(MutexGuard<'a, Queue>);

impl<'a> Turn<'a> {
    /// Sleeps until there are events, until somebody calls, or until `moment`. May come back early.
    pub(crate) fn sleep_until(self, moment: Moment) -> Option<Batch<'a>> {
        let mut batch = Batch(self.0);
        POLLS.one();
        checked(batch.0.wait_until(moment));
        batch.or_none()
    }
}

/// Events that were fetched. Delivered when it is dropped.
#[must_use]
pub(crate) struct Batch<'a>(MutexGuard<'a, Queue>);

impl Batch<'_> {
    /// None if there is no event in it.
    fn or_none(self) -> Option<Self> {
        if self.0.is_empty() { None } else { Some(self) }
    }

    /// How many events.
    pub(crate) fn len(&self) -> usize {
        self.0.events().count()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (name, event) in self.0.events() {
            let slot = core::ptr::with_exposed_provenance::<Slot>(name);
            // SAFETY: the name that `register` has given it, the address of a slot; those are never freed.
            unsafe { &*slot }.deliver(event);
        }
        self.0.clear();
    }
}

/// A signal may interrupt a system call of the poller's; then nothing was fetched. Nothing else can go wrong with what is open.
fn checked(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::Interrupted
    {
        broken(&error);
    }
}

#[cold]
fn broken(error: &io::Error) -> ! {
    panic!(
        "the runtime cannot wait for sockets any more: {error}; has somebody closed a file that is not his, \
         as by closing all file descriptors?"
    );
}

/// What the system lacks.
#[derive(Debug)]
struct Shortage {
    what: &'static str,
    error: io::Error,
}

impl Shortage {
    fn error(what: &'static str, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self { what, error })
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waiting for a socket or another file takes {}, and the system refuses it: {}",
            self.what, self.error
        )?;
        f.write_str(match self.error.raw_os_error() {
            Some(libc::EMFILE) => "; raise the limit on open files (`ulimit -n`)",
            Some(libc::ENFILE) => "; raise the limit on open files of all processes (fs.file-max)",
            Some(libc::ENOSPC) => "; raise fs.epoll.max_user_watches",
            _ => "",
        })
    }
}

impl std::error::Error for Shortage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The error for files and directories.
#[cold]
pub(crate) fn cannot_be_waited_for() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a file of this kind (a regular file, a directory) cannot be waited for: it is always ready, and reading it may \
         block all the same; use `greenbridge::blocking`",
    )
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.made.get().map(|made| made.registered.load(Ordering::Relaxed));
        f.debug_struct("Reactor").field("registered", &registered).finish_non_exhaustive()
    }
}
