//! A file that green threads wait for: what every operation on a socket is written against.
//!
//! An operation is tried first. Only if it would block is the file registered with the reactor, once for all, and the caller waits until an
//! event says that it is worth another try. So what never blocks is never registered, and making a [`Source`] needs no runtime.
//!
//! | the caller is | it waits by |
//! |---|---|
//! | on a green thread, in a callback, on an OS thread | [`wait`](crate::wait), woken by the reactor |
//! | on an OS thread, before the runtime has been started | `poll(2)` |
//! | polled as a future | its waker |
//!
//! # Fairness
//! A green thread whose operations never would block, because the peer sends as fast as it reads, is not switched away by them. So every
//! some operations it goes to the back of the run queue before it tries ([`Source::take_breath`]). A read goes there also where others are
//! expected to bring it something: `expectation.rs`.
//!
//! # What it must never do
//! Own the file: whoever does drops the source first, for a file that is closed can no longer be taken out of the reactor.

use super::clock;
use super::expectation::{Advice, Expectation};
use super::reactor::Added;
use super::readiness::{Arm, Direction, Seen};
use super::slot::Slot;
use crate::green::switch::Suspended;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering};
use crate::scheduler::{runtime, time};
use crate::spawn::is_alone;
use crate::wait::park;
use crate::wait::queue::Waiter;
use crate::wait::{What, cancel, wait_until};
use core::fmt;
use core::pin::{Pin, pin};
use core::ptr;
use core::task::{Context, Poll};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

/// After this many operations without a wait others have their turn.
const BREATH: u32 = 32;

/// A file that may be waited for.
pub(crate) struct Source {
    /// Null until it is registered.
    slot: AtomicPtr<Slot>,
    /// Operations since the last wait.
    streak: AtomicU32,
    /// What reads have come to.
    expectation: Expectation,
}

impl Source {
    /// One that is not registered.
    pub(crate) const fn new() -> Self {
        Self { slot: AtomicPtr::new(ptr::null_mut()), streak: AtomicU32::new(0), expectation: Expectation::new() }
    }

    fn slot(&self) -> Option<&'static Slot> {
        // Acquire: pairs with the store in `register`.
        // SAFETY: null, or a slot; those are never freed.
        unsafe { self.slot.load(Ordering::Acquire).as_ref() }
    }

    /// Calls `operation`, on the file `fd`, until it would not block, and waits in between. It is called again if a signal has interrupted it.
    ///
    /// # Errors
    /// Those of `operation`; `TimedOut` if `deadline` has come first; that the file cannot be registered; in a forked child, if it would
    /// have to wait.
    ///
    /// # Panics
    /// As [`wait`](crate::wait::wait).
    #[track_caller]
    pub(crate) fn wait_until<R>(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        deadline: Option<Instant>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        match direction {
            Direction::Read => self.let_others_write(),
            Direction::Write => self.take_breath(),
        }
        // Most operations end here: what a wait needs is not even laid out.
        let seen = self.look();
        if seen.is_worth_a_try(direction)
            && let Some(done) = attempt(&mut operation)
        {
            return done;
        }
        if !runtime::is_started() {
            return wait_without_runtime(fd, direction, deadline, operation);
        }
        self.streak.store(0, Ordering::Relaxed);
        if direction == Direction::Read {
            self.expectation.must_wait();
        }
        let mut io = pin!(Io { source: self, fd, direction, operation, first: Some(seen), waiter: Waiter::new(()) });
        let what = match direction {
            Direction::Read => What::Readable,
            Direction::Write => What::Writable,
        };
        wait_until(what, deadline, |context| io.as_mut().poll(context)).unwrap_or_else(|| {
            Err(io::Error::new(ErrorKind::TimedOut, "the deadline of a wait for a socket or another file has come"))
        })
    }

    /// The same as [`wait_until`](Self::wait_until) for streams: `operation` moves bytes, `wanted` at most. If it moves fewer, the file is taken to be
    /// drained, or full, and the next operation need not find that out by a system call.
    #[track_caller]
    pub(crate) fn transfer_until(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        deadline: Option<Instant>,
        wanted: usize,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.wait_until(fd, direction, deadline, || {
            let seen = self.look();
            let moved = operation()?;
            if moved > 0
                && moved < wanted
                && let Some(slot) = self.slot()
            {
                slot.readiness.drained(seen, direction);
            }
            Ok(moved)
        })
    }

    /// The same as a future. It may be dropped at any time, and has done nothing then.
    pub(crate) const fn io<'a, F>(&'a self, fd: BorrowedFd<'a>, direction: Direction, operation: F) -> Io<'a, F> {
        Io { source: self, fd, direction, operation, first: None, waiter: Waiter::new(()) }
    }

    /// Takes the file out of the reactor: its owner is about to close it, or to give it away.
    pub(crate) fn deregister(&mut self) {
        let slot = core::mem::replace(self.slot.get_mut(), ptr::null_mut());
        // SAFETY: null, or a slot; those are never freed.
        if let Some(slot) = unsafe { slot.as_ref() } {
            Self::remove(slot);
        }
    }

    fn look(&self) -> Seen {
        self.slot().map_or(Seen::NOTHING, |slot| slot.readiness.look())
    }

    /// Registers the file, for who has tried in vain, unless another caller does. Returns what counts as seen.
    #[cold]
    #[inline(never)]
    fn register(&self, fd: BorrowedFd<'_>) -> io::Result<Seen> {
        if !runtime::is_started() {
            return Err(no_runtime());
        }
        let runtime = runtime::runtime();
        let keep = |slot: &'static Slot| self.slot.store(ptr::from_ref(slot).cast_mut(), Ordering::Release);
        let (seen, added) = runtime.reactor.add(fd, || self.slot().is_some(), keep)?;
        if added == Added::First {
            time::registered(runtime);
        }
        Ok(seen)
    }

    #[cold]
    #[inline(never)]
    fn remove(slot: &'static Slot) {
        // A forked child shares the parent's epoll: what it took out there would be gone for the parent, too.
        if runtime::is_started() {
            runtime::runtime().reactor.remove(slot);
        }
    }

    /// Before a read: if it is expected that others, who are ready, bring it something, they go first.
    #[inline]
    fn let_others_write(&self) {
        match self.expectation.advise() {
            Advice::Try => self.take_breath(),
            Advice::LetOthersGo => give_way(),
            Advice::FetchAndLetOthersGo => {
                time::fetch_for_others();
                give_way();
            }
        }
    }

    /// Before an operation: every some operations that did not wait, others have their turn.
    #[inline]
    fn take_breath(&self) {
        let streak = self.streak.load(Ordering::Relaxed) + 1;
        self.streak.store(streak, Ordering::Relaxed);
        if streak >= BREATH {
            self.streak.store(0, Ordering::Relaxed);
            give_way();
        }
    }
}

/// Lets others go first, if the caller is a green thread.
#[cold]
#[inline(never)]
fn give_way() {
    if let Some(green) = park::running()
        && !is_alone()
    {
        // Not `yield_now`, which a cancellation would end: the operation need not wait. Where it may not switch, there is nobody to let go.
        let _ = park::switch(green, Suspended::Yield);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.deregister();
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("slot", &self.slot()).finish_non_exhaustive()
    }
}

/// What is tried, and tried again: a closure, or something with a name.
pub(crate) trait Operation {
    /// What it brings.
    type Output;

    /// One try; `WouldBlock` if it must wait.
    fn attempt(&mut self) -> io::Result<Self::Output>;
}

impl<R, F: FnMut() -> io::Result<R>> Operation for F {
    type Output = R;

    fn attempt(&mut self) -> io::Result<R> {
        self()
    }
}

/// An operation on a file, as a future.
pub(crate) struct Io<'a, F> {
    source: &'a Source,
    fd: BorrowedFd<'a>,
    direction: Direction,
    operation: F,
    /// What was seen before the operation was tried by whoever made this.
    first: Option<Seen>,
    waiter: Waiter<()>,
}

impl<F: Operation> Future for Io<'_, F> {
    type Output = io::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<F::Output>> {
        // SAFETY: `waiter` is structurally pinned: it is moved nowhere, and `Drop` treats it as pinned. The rest is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            let mut seen = match this.first.take() {
                Some(seen) => seen,
                None => {
                    let seen = this.source.look();
                    if let Some(done) = attempt(&mut this.operation) {
                        return Poll::Ready(done);
                    }
                    seen
                }
            };
            let slot = loop {
                match this.source.slot() {
                    Some(slot) => break slot,
                    None => match this.source.register(this.fd) {
                        Ok(registered) => seen = registered,
                        Err(error) => return Poll::Ready(Err(error)),
                    },
                }
            };
            // SAFETY: as above.
            let waiter = unsafe { Pin::new_unchecked(&mut this.waiter) };
            if slot.arm(seen, this.direction, waiter, context) == Arm::MustWait {
                return Poll::Pending;
            }
        }
    }
}

impl<F> Drop for Io<'_, F> {
    fn drop(&mut self) {
        if self.waiter.is_queued()
            && let Some(slot) = self.source.slot()
        {
            // SAFETY: pinned since it was queued, and not moved in here.
            slot.give_up(self.direction, unsafe { Pin::new_unchecked(&self.waiter) });
        }
    }
}

impl<F> fmt::Debug for Io<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("source", self.source).field("direction", &self.direction).finish_non_exhaustive()
    }
}

/// One try. None: it would block.
///
/// Never inlined: it reads errno, a thread-local, and the caller may go on on another OS thread.
#[inline(never)]
fn attempt<O: Operation>(operation: &mut O) -> Option<io::Result<O::Output>> {
    loop {
        match operation.attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return Some(done),
        }
    }
}

/// On an OS thread of a process in which no runtime runs.
#[cold]
fn wait_without_runtime<R>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
    mut operation: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    loop {
        if runtime::is_forked() {
            return Err(no_runtime());
        }
        cancel::check();
        if !poll(fd, direction, deadline)? && deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return Err(ErrorKind::TimedOut.into());
        }
        if let Some(done) = attempt(&mut operation) {
            return done;
        }
    }
}

/// Waits for one file, by blocking the OS thread. False: the deadline has come, or it was too far away for one call.
fn poll(fd: BorrowedFd<'_>, direction: Direction, deadline: Option<Instant>) -> io::Result<bool> {
    let timeout = match deadline {
        None => -1,
        Some(deadline) => {
            let left = deadline.saturating_duration_since(clock::now());
            // A millisecond more than left, rather than less.
            i32::try_from(left.as_millis()).map_or(i32::MAX, |left| left.saturating_add(1))
        }
    };
    match poll_for(fd, direction, timeout) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
        result => result,
    }
}

/// Asks the kernel whether a file is ready, and waits for that for at most `timeout` milliseconds; forever, if it is negative. A file that
/// has an error or was hung up counts as ready.
fn poll_for(fd: BorrowedFd<'_>, direction: Direction, timeout: i32) -> io::Result<bool> {
    let events = match direction {
        Direction::Read => libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    };
    let mut asked = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one element, which is valid for the call.
    match unsafe { libc::poll(&raw mut asked, 1, timeout) } {
        0 => Ok(false),
        1 if asked.revents & libc::POLLNVAL != 0 => Err(io::Error::from_raw_os_error(libc::EBADF)),
        1 => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The operation that waits for nothing but readiness: would block unless the file is ready now.
pub(crate) fn check(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
    if poll_for(fd, direction, 0)? { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
}

/// The error for who would have to wait where no runtime runs.
#[cold]
pub(crate) fn no_runtime() -> io::Error {
    let message = if runtime::is_forked() {
        "waiting for a socket or another file in a process that was forked from one in which the green-thread runtime runs: \
         in the child, exec a program, or fork before the first use"
    } else {
        "a future that waits for a socket or another file needs the green-thread runtime, which has not been started"
    };
    io::Error::new(ErrorKind::Unsupported, message)
}
