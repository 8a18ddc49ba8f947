//! What every socket of this module is inside: a descriptor in non-blocking mode, what waits for it, and its limits.
//!
//! Each operation is a system call that says `WouldBlock` where std's would block; the [`Source`] repeats it until it does not, and
//! waits in between wherever the caller is.
//!
//! Data go through `recv` and `send` with `MSG_DONTWAIT`, so that they never block an OS thread, whoever has changed the mode of the
//! descriptor: it is shared with all duplicates, also with those that somebody took. `MSG_NOSIGNAL` keeps the signal of a broken pipe
//! away, in programs whose `main` is C's too: there std has not switched it off.

use super::limits::{Limit, Limits};
use crate::driver::readiness::Direction;
use crate::driver::source::Source;
use crate::time;
use core::mem::MaybeUninit;
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK};
use socket2::{Domain, MaybeUninitSlice, SockAddr, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many connections may wait for `accept`: as many as the system allows, which takes any larger number for that.
const BACKLOG: libc::c_int = libc::c_int::MAX;

/// What no event announces is tried again after this pause, and after up to [`LONGEST_PAUSE`] later.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// A socket. The order of the fields is the order of their ends: it is forgotten before its descriptor is closed.
///
/// It is public as far as the compiler is concerned, for it stands in the private trait of streams; nobody outside can name it.
#[derive(Debug)]
pub struct Socket {
    source: Source,
    limits: Arc<Limits>,
    inner: socket2::Socket,
}

impl Socket {
    /// `inner` is in non-blocking mode.
    fn new(inner: socket2::Socket) -> Self {
        Self { source: Source::new(), limits: Arc::new(Limits::new()), inner }
    }

    /// Makes a socket.
    pub(super) fn open(domain: Domain, kind: Type) -> io::Result<Self> {
        socket2::Socket::new(domain, kind.nonblocking(), None).map(Self::new)
    }

    /// Makes two Unix sockets that are connected with each other.
    pub(super) fn pair(kind: Type) -> io::Result<(Self, Self)> {
        let (one, other) = socket2::Socket::pair(Domain::UNIX, kind.nonblocking(), None)?;
        Ok((Self::new(one), Self::new(other)))
    }

    /// Takes a socket over, with its timeouts.
    pub(super) fn adopt(inner: socket2::Socket) -> Self {
        // It fails on what is no socket, and then so does every operation.
        let _ = inner.set_nonblocking(true);
        let limits = Limits::new();
        for (limit, timeout) in [(&limits.read, inner.read_timeout()), (&limits.write, inner.write_timeout())] {
            let _ = limit.set_timeout(timeout.unwrap_or(None));
        }
        Self { source: Source::new(), limits: Arc::new(limits), inner }
    }

    /// Gives the descriptor away, in the mode and with the timeouts that std's operations on it go by.
    pub(super) fn give_away(self) -> socket2::Socket {
        let Self { source, limits, inner } = self;
        drop(source);
        // What may fail here fails on what is no socket, and the next operation says so.
        let _ = inner.set_nonblocking(limits.is_nonblocking());
        if let Some(timeout) = limits.read.timeout() {
            let _ = inner.set_read_timeout(Some(timeout));
        }
        if let Some(timeout) = limits.write.timeout() {
            let _ = inner.set_write_timeout(Some(timeout));
        }
        inner
    }

    /// Another descriptor of the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { source: Source::new(), limits: Arc::clone(&self.limits), inner: self.inner.try_clone()? })
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The socket itself, for what does not wait.
    pub(super) fn options(&self) -> &socket2::Socket {
        &self.inner
    }

    /// Repeats `operation` while it says `WouldBlock`, as long as the limits allow.
    #[track_caller]
    fn wait<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&socket2::Socket) -> io::Result<R>,
    ) -> io::Result<R> {
        if self.limits.is_nonblocking() {
            return uninterrupted(|| operation(&self.inner));
        }
        let end = self.limit(direction).end();
        let result = self.source.wait_until(self.as_fd(), direction, end, || operation(&self.inner));
        unless_it_need_not_wait(result, || operation(&self.inner))
    }

    /// The same for streams: `operation` moves bytes, `wanted` at most, and one that moves fewer leaves nothing to move now.
    #[track_caller]
    fn transfer(
        &self,
        direction: Direction,
        wanted: usize,
        mut operation: impl FnMut(&socket2::Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.limits.is_nonblocking() {
            return uninterrupted(|| operation(&self.inner));
        }
        let end = self.limit(direction).end();
        let result = self.source.transfer_until(self.as_fd(), direction, end, wanted, || operation(&self.inner));
        unless_it_need_not_wait(result, || operation(&self.inner))
    }

    fn limit(&self, direction: Direction) -> &Limit {
        match direction {
            Direction::Read => &self.limits.read,
            Direction::Write => &self.limits.write,
        }
    }

    /// Waits for a connection.
    #[track_caller]
    pub(super) fn accept(&self) -> io::Result<(Self, SockAddr)> {
        self.wait(Direction::Read, |listener| {
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            let accept = |address: *mut socket2::SockAddrStorage, length: *mut libc::socklen_t| {
                // SAFETY: the room for an address, and its length, as the system wants them.
                match unsafe { libc::accept4(listener.as_raw_fd(), address.cast(), length, flags) } {
                    -1 => Err(io::Error::last_os_error()),
                    descriptor => Ok(descriptor),
                }
            };
            // SAFETY: the system writes an address and its length, or says that it has not.
            let (descriptor, address) = unsafe { SockAddr::try_init(accept) }?;
            // SAFETY: it has just been made, and nobody else knows it.
            let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
            Ok((Self::new(descriptor.into()), address))
        })
    }

    /// Binds and listens.
    pub(super) fn listen(&self, address: &SockAddr) -> io::Result<()> {
        self.inner.bind(address)?;
        self.inner.listen(BACKLOG)
    }

    /// Connects, over the network. `deadline`: also the end of the wait.
    #[track_caller]
    pub(super) fn connect(&self, address: &SockAddr, deadline: Option<Instant>) -> io::Result<()> {
        // The first call begins; each later one asks, and the one that finds an end reports it.
        self.source.wait_until(self.as_fd(), Direction::Write, deadline, || match self.inner.connect(address) {
            Err(error) => match error.raw_os_error() {
                Some(libc::EINPROGRESS | libc::EALREADY) => Err(io::ErrorKind::WouldBlock.into()),
                Some(libc::EISCONN) => Ok(()),
                _ => Err(error),
            },
            connected => connected,
        })
    }

    /// Connects a Unix stream: at once, or when the listener has room for it.
    #[track_caller]
    pub(super) fn connect_unix(&self, address: &SockAddr) -> io::Result<()> {
        repeat_after_pauses(None, || self.inner.connect(address))
    }

    /// Receives a datagram.
    #[track_caller]
    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let buffer = as_uninit(buffer);
        self.wait(Direction::Read, |socket| match socket.recv_with_flags(buffer, MSG_DONTWAIT) {
            Err(error) if self.is_end(&error) => Ok(0),
            received => received,
        })
    }

    /// Whether a receive would block because the socket has been told to receive no more. Of a datagram socket that is in non-blocking mode the
    /// system says nothing else, while it has just woken those who wait.
    fn is_end(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::WouldBlock && self.limits.has_ended()
    }

    /// Reads from a stream. Without room there is nothing to wait for.
    #[track_caller]
    pub(super) fn read(&self, buffer: &mut [u8], short: ShortRead) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let wanted = short.wanted(buffer.len());
        let buffer = as_uninit(buffer);
        self.transfer(Direction::Read, wanted, |socket| socket.recv_with_flags(buffer, MSG_DONTWAIT))
    }

    /// As [`recv`](Self::recv), and what is received stays.
    #[track_caller]
    pub(super) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let buffer = as_uninit(buffer);
        self.wait(Direction::Read, |socket| socket.recv_with_flags(buffer, MSG_DONTWAIT | MSG_PEEK))
    }

    /// As [`read`](Self::read), into several buffers.
    #[track_caller]
    pub(super) fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>], short: ShortRead) -> io::Result<usize> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum::<usize>();
        if room == 0 {
            return Ok(0);
        }
        // SAFETY: both are an `iovec`, and socket2 promises that what it receives is the system's, which has a value.
        let buffers = unsafe { &mut *(&raw mut *buffers as *mut [MaybeUninitSlice<'_>]) };
        self.transfer(Direction::Read, short.wanted(room), |socket| {
            socket.recv_vectored_with_flags(buffers, MSG_DONTWAIT).map(|(length, _)| length)
        })
    }

    /// Receives a datagram, and whose it is.
    #[track_caller]
    pub(super) fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        let buffer = as_uninit(buffer);
        self.wait(Direction::Read, |socket| match socket.recv_from_with_flags(buffer, MSG_DONTWAIT) {
            Err(error) if self.is_end(&error) => Ok((0, SockAddr::unix("")?)),
            received => received,
        })
    }

    /// As [`recv_from`](Self::recv_from), and the datagram stays.
    #[track_caller]
    pub(super) fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        let buffer = as_uninit(buffer);
        self.wait(Direction::Read, |socket| socket.recv_from_with_flags(buffer, MSG_DONTWAIT | MSG_PEEK))
    }

    /// Sends a datagram, to whom it is connected with.
    #[track_caller]
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(Direction::Write, |socket| socket.send_with_flags(bytes, MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    /// Writes to a stream.
    #[track_caller]
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        self.transfer(Direction::Write, bytes.len(), |socket| socket.send_with_flags(bytes, flags))
    }

    /// As [`write`](Self::write), what lies in several buffers.
    #[track_caller]
    pub(super) fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let (wanted, flags) = (buffers.iter().map(|buffer| buffer.len()).sum(), MSG_DONTWAIT | MSG_NOSIGNAL);
        self.transfer(Direction::Write, wanted, |socket| socket.send_vectored_with_flags(buffers, flags))
    }

    /// Sends a datagram to `address`.
    #[track_caller]
    pub(super) fn send_to(&self, bytes: &[u8], address: &SockAddr) -> io::Result<usize> {
        let flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        self.wait(Direction::Write, |socket| socket.send_to_with_flags(bytes, address, flags))
    }

    /// As [`send_to`](Self::send_to), to a Unix socket. If the receiver's queue is full, no event announces room in it: that
    /// comes only to who is connected with it.
    #[track_caller]
    pub(super) fn send_to_unix(&self, bytes: &[u8], address: &SockAddr) -> io::Result<usize> {
        let send = || self.inner.send_to_with_flags(bytes, address, MSG_DONTWAIT | MSG_NOSIGNAL);
        if self.limits.is_nonblocking() {
            uninterrupted(send)
        } else {
            repeat_after_pauses(self.limits.write.end(), send)
        }
    }
}

impl AsFd for Socket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// What it means that a read has brought fewer bytes than there was room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortRead {
    /// That there are no more now: the next read need not ask the system.
    Drained,
    /// Nothing.
    Nothing,
}

impl ShortRead {
    /// How many bytes a read must bring for there to be more: `room`, or any number.
    fn wanted(self, room: usize) -> usize {
        match self {
            Self::Drained => room,
            Self::Nothing => 0,
        }
    }
}

/// Lends `buffer` to socket2.
fn as_uninit(buffer: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same bytes; socket2 promises that what it writes there comes from the system, and has a value.
    unsafe { &mut *(&raw mut *buffer as *mut [MaybeUninit<u8>]) }
}

/// The result of a wait, unless its time was over before it began and the event that it needs has not been fetched yet: what need not wait
/// succeeds.
#[inline]
fn unless_it_need_not_wait<R>(result: io::Result<R>, operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    match result {
        // The system's own, as of a peer that does not answer, has a number.
        Err(timed_out) if timed_out.kind() == io::ErrorKind::TimedOut && timed_out.raw_os_error().is_none() => {
            last_try(timed_out, operation)
        }
        result => result,
    }
}

#[cold]
fn last_try<R>(timed_out: io::Error, operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    match uninterrupted(operation) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(timed_out),
        result => result,
    }
}

/// Repeats what a signal interrupts. Never inlined: it reads errno, a thread-local, and the caller may have come from another OS thread.
#[inline(never)]
fn uninterrupted<R>(mut operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Repeats `operation` while it says `WouldBlock`, with pauses: for the few that no event follows.
#[track_caller]
fn repeat_after_pauses<R>(deadline: Option<Instant>, mut operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    let mut pause = FIRST_PAUSE;
    loop {
        match uninterrupted(&mut operation) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        let now = time::now();
        let until = now.checked_add(pause).unwrap_or(now);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        time::sleep_until(deadline.map_or(until, |deadline| deadline.min(until)));
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}
