//! Waiting for the first of several files to be ready: [`poll`], which is to `poll(2)` what a green thread is to an OS thread.
//!
//! It is for C libraries that own their sockets and let the program wait for them: libcurl's multi interface, c-ares, libpq. Such a library says
//! which files it wants to read or write, and until when; a loop around [`poll`] then drives it on a green thread.
//!
//! These are level waits, as those of [`wait_readable`](super::wait_readable): the kernel has the last word, before the wait and after.

use crate::driver::clock;
use crate::driver::readiness::Direction;
use crate::driver::source::{Io, Operation, Source, no_runtime};
use crate::scheduler::runtime;
use crate::wait::{What, cancel, wait_until};
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// A file that [`poll`] waits for, and what has become of it. In memory it is a `struct pollfd`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct PollFd<'fd> {
    asked: libc::pollfd,
    file: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> PollFd<'fd> {
    /// Waits until there is something to read, or the peer has closed it.
    pub fn readable(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd, libc::POLLIN)
    }

    /// Waits until there is room to write.
    pub fn writable(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd, libc::POLLOUT)
    }

    /// Waits for either.
    pub fn readable_or_writable(fd: BorrowedFd<'fd>) -> Self {
        Self::new(fd, libc::POLLIN | libc::POLLOUT)
    }

    /// Waits for `events` of `poll(2)`: `POLLIN` and so on.
    pub fn new(fd: BorrowedFd<'fd>, events: i16) -> Self {
        Self { asked: libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }, file: PhantomData }
    }

    /// What the last [`poll`] has found: `POLLIN` and so on, with `POLLERR`, `POLLHUP` and `POLLNVAL`, which are not asked for.
    pub fn found(&self) -> i16 {
        self.asked.revents
    }

    /// Whether a read would not block, for what the last [`poll`] has found: also at the end of the file, and to fetch an error.
    pub fn is_readable(&self) -> bool {
        self.found() & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0
    }

    /// Whether a write would not block.
    pub fn is_writable(&self) -> bool {
        self.found() & (libc::POLLOUT | libc::POLLERR) != 0
    }

    /// The directions whose events may make this ready.
    fn directions(&self) -> impl Iterator<Item = Direction> {
        let writes = self.asked.events & libc::POLLOUT != 0;
        let reads = self.asked.events & !libc::POLLOUT != 0 || !writes;
        [(reads, Direction::Read), (writes, Direction::Write)]
            .into_iter()
            .filter_map(|(wanted, direction)| wanted.then_some(direction))
    }
}

impl fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let libc::pollfd { fd, events, revents } = self.asked;
        f.debug_struct("PollFd").field("fd", &fd).field("events", &events).field("revents", &revents).finish()
    }
}

/// Waits until one of `files` is ready, for at most `timeout`, and says how many are; 0 if none was in time.
///
/// A file whose number is negative is passed over, as `poll(2)` does. Regular files are always ready. With a timeout of zero it asks, and does
/// not wait. Urgent data (`POLLPRI`) is found when it asks, but does not end a wait by itself.
///
/// # Blocking
/// On a green thread and in a callback under a way to call, others run meanwhile; an OS thread blocks.
///
/// # Errors
/// If a file cannot be waited for, the system lacks what it takes, or in a process that was forked from one in which the runtime runs. A file that
/// is not open is no error: it is ready, with `POLLNVAL`.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait.
///
/// # Cancellation
/// A wait in a scope that has been cancelled unwinds with [`Cancelled`](crate::cancel::Cancelled).
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::{PollFd, poll};
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start().expect("it starts") };
/// let (one, _silent) = std::io::pipe()?;
/// let (other, mut speaks) = std::io::pipe()?;
/// let ready = greenbridge_runtime::run(move || {
///     greenbridge_runtime::spawn(move || speaks.write_all(b"!"));
///     let mut files = [PollFd::readable(one.as_fd()), PollFd::readable(other.as_fd())];
///     poll(&mut files, Some(Duration::from_secs(60)))?;
///     Ok::<_, std::io::Error>(files.map(|file| file.is_readable()))
/// })?;
/// assert_eq!(ready, [false, true]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn poll(files: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let deadline = timeout.and_then(clock::deadline_after);
    cancel::check();
    let ready = ask(files, Duration::ZERO)?;
    if ready > 0 || timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Ok(ready);
    }
    loop {
        let came = if runtime::is_started() { wait(files, deadline)? } else { block(files, deadline)? };
        let ready = ask(files, Duration::ZERO)?;
        // None may be ready although one was: somebody else has read from it.
        if ready > 0 || !came {
            return Ok(ready);
        }
    }
}

/// Waits for an event of one of `files`. False: the deadline has come first.
#[track_caller]
fn wait(files: &[PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    let sources: Vec<_> = files.iter().filter(|file| file.asked.fd >= 0).map(|file| (Source::new(), *file)).collect();
    let mut waits: Vec<Pin<Box<Io<'_, One<'_>>>>> = Vec::new();
    for (source, file) in &sources {
        // SAFETY: by the type of `file` it is open for as long as this runs.
        let fd = unsafe { BorrowedFd::borrow_raw(file.asked.fd) };
        for direction in file.directions() {
            waits.push(Box::pin(source.io(fd, direction, One(*file))));
        }
    }
    let reads = sources.iter().any(|(_, file)| file.directions().any(|direction| direction == Direction::Read));
    let what = if reads || sources.is_empty() { What::Readable } else { What::Writable };
    let first = |context: &mut Context<'_>| {
        for wait in &mut waits {
            if let Poll::Ready(done) = wait.as_mut().poll(context) {
                return Poll::Ready(done);
            }
        }
        Poll::Pending
    };
    wait_until(what, deadline, first).transpose().map(|came| came.is_some())
}

/// The operation that waits until one file is ready.
struct One<'fd>(PollFd<'fd>);

impl Operation for One<'_> {
    type Output = ();

    fn attempt(&mut self) -> io::Result<()> {
        let Self(file) = self;
        if ask(core::slice::from_mut(file), Duration::ZERO)? > 0 { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

/// Before the runtime has been started, on an OS thread: blocks it. False: the deadline has come.
#[cold]
fn block(files: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    if runtime::is_forked() {
        return Err(no_runtime());
    }
    /// `poll(2)` knows no longer time.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    let left = deadline.map_or(LONGEST, |deadline| deadline.saturating_duration_since(clock::now()).min(LONGEST));
    ask(files, left)?;
    Ok(deadline.is_none_or(|deadline| clock::now() < deadline))
}

/// Asks the kernel, which waits for at most `timeout`. A signal that interrupts it counts as an answer: none is ready.
fn ask(files: &mut [PollFd<'_>], timeout: Duration) -> io::Result<usize> {
    // Rounded up: rather a millisecond more than asking over and over.
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    let (first, count) = (files.as_mut_ptr().cast::<libc::pollfd>(), files.len() as libc::nfds_t);
    // SAFETY: so many elements, each a `pollfd` by `repr(transparent)`.
    match unsafe { libc::poll(first, count, milliseconds) } {
        -1 => {
            let error = io::Error::last_os_error();
            if error.kind() == ErrorKind::Interrupted { Ok(0) } else { Err(error) }
        }
        ready => Ok(usize::try_from(ready).unwrap_or(0)),
    }
}
