//! Waiting for a file to be ready, and for nothing else: [`wait_readable`], [`wait_writable`], and the future [`Ready`].
//!
//! These are *level* waits: the kernel is asked whether the file is ready now, before the wait and after each event. So they may be mixed with
//! any other use of the file.

use crate::driver::readiness::Direction;
use crate::driver::source::{self, Io, Operation, Source};
use crate::driver::{clock, reactor};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Waits until `fd` is readable: there are bytes, a connection or a datagram, the peer has closed it, or it has an error.
///
/// This is a wait for a file that belongs to somebody else, as to a C library that says which of its files it wants to read. The
/// file may be blocking or not, and others may wait for it, too, as green threads, through an [`Async`](super::Async), or in an epoll of their own.
/// It stays open as long as the wait lasts: nobody is woken by the `close` of a file.
///
/// For many waits for one file of your own an [`Async`](super::Async) is cheaper: it is registered with the kernel once, and not for each wait.
///
/// # Blocking
/// On a green thread and in a callback under a way to call, others run meanwhile; an OS thread blocks.
///
/// # Errors
/// If `fd` is a regular file or a directory, which are always ready: reading them may block all the same, so use `greenbridge::blocking`. If it
/// is not open. If the system lacks what it takes to wait. In a process that was forked from one in which the runtime runs.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait.
///
/// # Cancellation
/// A wait in a scope that has been cancelled unwinds with [`Cancelled`](crate::cancel::Cancelled).
///
/// # Examples
/// ```
/// use greenbridge_runtime::{net, spawn};
/// use std::io::{Read, Write};
/// use std::os::fd::AsFd;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start().expect("it starts") };
/// let (mut ours, mut theirs) = std::io::pipe()?;
/// let reader = spawn(move || {
///     net::wait_readable(ours.as_fd())?;
///     let mut byte = [0];
///     ours.read_exact(&mut byte).map(|()| byte[0])
/// });
/// theirs.write_all(&[7])?;
/// assert_eq!(reader.join().expect("no panic")?, 7);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn wait_readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    wait_for(fd, Direction::Read, None)
}

/// Waits until `fd` is readable, for at most `timeout`.
///
/// # Errors
/// As [`wait_readable`]; `TimedOut` if nothing has come. One of zero asks, and does not wait.
#[inline(never)]
#[track_caller]
pub fn wait_readable_timeout(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    wait_for(fd, Direction::Read, clock::deadline_after(timeout))
}

/// Waits until `fd` is readable, until `deadline` at the latest.
///
/// # Errors
/// As [`wait_readable_timeout`].
#[inline(never)]
#[track_caller]
pub fn wait_readable_deadline(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<()> {
    wait_for(fd, Direction::Read, Some(deadline))
}

/// Waits until `fd` is writable: there is room, or the peer has closed it, or it has an error. A connection that is being made is writable
/// when that is over. Otherwise as [`wait_readable`].
///
/// # Errors, panics, cancellation
/// As [`wait_readable`].
#[inline(never)]
#[track_caller]
pub fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    wait_for(fd, Direction::Write, None)
}

/// Waits until `fd` is writable, for at most `timeout`.
///
/// # Errors
/// As [`wait_readable_timeout`].
#[inline(never)]
#[track_caller]
pub fn wait_writable_timeout(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    wait_for(fd, Direction::Write, clock::deadline_after(timeout))
}

/// Waits until `fd` is writable, until `deadline` at the latest.
///
/// # Errors
/// As [`wait_readable_timeout`].
#[inline(never)]
#[track_caller]
pub fn wait_writable_deadline(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<()> {
    wait_for(fd, Direction::Write, Some(deadline))
}

#[track_caller]
fn wait_for(fd: BorrowedFd<'_>, direction: Direction, deadline: Option<Instant>) -> io::Result<()> {
    refuse_always_ready(fd)?;
    // Registered for this wait only.
    Source::new().wait_until(fd, direction, deadline, || source::check(fd, direction))
}

/// Refuses files that are always ready, though reading them blocks.
#[inline(never)]
pub(super) fn refuse_always_ready(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut status = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` is large enough.
    if unsafe { libc::fstat(fd.as_raw_fd(), status.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call.
    match unsafe { status.assume_init() }.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => Err(reactor::cannot_be_waited_for()),
        _ => Ok(()),
    }
}

/// A future that is ready when a file is: from [`Async::readable`](super::Async::readable).
///
/// It may be dropped at any time, and has taken nothing then.
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<'a> {
    /// Structurally pinned.
    io: Io<'a, Check<'a>>,
}

/// Asks the kernel.
struct Check<'a> {
    fd: BorrowedFd<'a>,
    direction: Direction,
}

impl<'a> Ready<'a> {
    pub(super) fn new(source: &'a Source, fd: BorrowedFd<'a>, direction: Direction) -> Self {
        Self { io: source.io(fd, direction, Check { fd, direction }) }
    }
}

impl Operation for Check<'_> {
    type Output = ();

    fn attempt(&mut self) -> io::Result<()> {
        source::check(self.fd, self.direction)
    }
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // SAFETY: `io` is structurally pinned: it is moved nowhere, and there is no `Drop`.
        unsafe { self.map_unchecked_mut(|ready| &mut ready.io) }.poll(context)
    }
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.io).finish()
    }
}
