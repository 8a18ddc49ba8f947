//! [`Async`]: any file that can be non-blocking, with operations that wait.

use super::ready::{self, Ready};
use crate::driver::clock;
use crate::driver::readiness::Direction;
use crate::driver::source::{self, Source};
use core::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

/// A file, or what has one, whose operations wait in place of failing with `WouldBlock`.
///
/// For sockets use the types beside this one, which have the methods of those of std. This is for the rest: pipes, eventfds, inotify,
/// terminals, devices, sockets of other kinds. An operation is tried first; if it would block, the file is registered with the kernel, once, and the
/// caller waits. Several may wait for one file at the same time, also in the same direction: an event lets all of them try.
///
/// Where `&T` can [`Read`] or [`Write`], so can `Async<T>` and `&Async<T>`; for other operations there are [`read_with`](Self::read_with) and
/// [`write_with`](Self::write_with).
///
/// # Blocking
/// On a green thread and in a callback under a way to call, others run meanwhile; an OS thread blocks.
///
/// # Errors
/// Those of the operation; if it has to wait, also those of [`wait_readable`](super::wait_readable).
///
/// # Cancellation
/// A wait in a scope that has been cancelled unwinds with [`Cancelled`](crate::cancel::Cancelled); nothing has been read or written then.
/// An operation that need not wait is carried out.
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::Async;
/// use greenbridge_runtime::spawn;
/// use std::io::{Read, Write};
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start().expect("it starts") };
/// let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
/// let (mut reader, mut writer) = (Async::new(reader)?, Async::new(writer)?);
/// let length = spawn(move || {
///     let mut text = String::new();
///     reader.read_to_string(&mut text)
/// });
/// writer.write_all(b"hello")?;
/// drop(writer);
/// assert_eq!(length.join().expect("no panic")?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Async<T> {
    // Before the file: it must be taken out of the reactor before it is closed.
    source: Source,
    file: T,
}

impl<T: AsFd> Async<T> {
    /// Makes the file non-blocking. That goes for whoever else has the same file, as by [`try_clone`](std::fs::File::try_clone).
    ///
    /// # Errors
    /// If it is a regular file or a directory: see [`wait_readable`](super::wait_readable). If it is not open.
    pub fn new(file: T) -> io::Result<Self> {
        ready::refuse_always_ready(file.as_fd())?;
        set_nonblocking(file.as_fd())?;
        Ok(Self { source: Source::new(), file })
    }

    /// The file, which stays non-blocking.
    pub fn into_inner(self) -> T {
        let Self { source, file } = self;
        drop(source);
        file
    }

    /// Calls `operation` until it does not fail with `WouldBlock`, and waits in between until the file is readable.
    ///
    /// # Errors, panics, cancellation
    /// Those of `operation`, and as for the type.
    #[track_caller]
    pub fn read_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.source.wait_until(self.file.as_fd(), Direction::Read, None, || operation(&self.file))
    }

    /// The same as [`read_with`](Self::read_with) until it is writable.
    ///
    /// # Errors, panics, cancellation
    /// Those of `operation`, and as for the type.
    #[track_caller]
    pub fn write_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.source.wait_until(self.file.as_fd(), Direction::Write, None, || operation(&self.file))
    }

    /// Waits until the file is readable: what [`wait_readable`](super::wait_readable) does, but the file is registered once only.
    ///
    /// # Errors, panics, cancellation
    /// As for [`wait_readable`](super::wait_readable).
    #[inline(never)]
    #[track_caller]
    pub fn wait_readable(&self) -> io::Result<()> {
        self.wait_for(Direction::Read, None)
    }

    /// The same for at most `timeout`.
    ///
    /// # Errors
    /// As [`wait_readable`](Self::wait_readable), and `TimedOut`.
    #[inline(never)]
    #[track_caller]
    pub fn wait_readable_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.wait_for(Direction::Read, clock::deadline_after(timeout))
    }

    /// The same until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`wait_readable`](Self::wait_readable), and `TimedOut`.
    #[inline(never)]
    #[track_caller]
    pub fn wait_readable_deadline(&self, deadline: Instant) -> io::Result<()> {
        self.wait_for(Direction::Read, Some(deadline))
    }

    /// Waits until the file is writable: what [`wait_writable`](super::wait_writable) does, but the file is registered once only.
    ///
    /// # Errors, panics, cancellation
    /// As for [`wait_readable`](super::wait_readable).
    #[inline(never)]
    #[track_caller]
    pub fn wait_writable(&self) -> io::Result<()> {
        self.wait_for(Direction::Write, None)
    }

    /// The same for at most `timeout`.
    ///
    /// # Errors
    /// As [`wait_writable`](Self::wait_writable), and `TimedOut`.
    #[inline(never)]
    #[track_caller]
    pub fn wait_writable_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.wait_for(Direction::Write, clock::deadline_after(timeout))
    }

    /// The same until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`wait_writable`](Self::wait_writable), and `TimedOut`.
    #[inline(never)]
    #[track_caller]
    pub fn wait_writable_deadline(&self, deadline: Instant) -> io::Result<()> {
        self.wait_for(Direction::Write, Some(deadline))
    }

    #[track_caller]
    fn wait_for(&self, direction: Direction, deadline: Option<Instant>) -> io::Result<()> {
        let fd = self.file.as_fd();
        self.source.wait_until(fd, direction, deadline, || source::check(fd, direction))
    }

    /// A future that is ready when the file is readable; a branch of [`select!`](crate::select!) as `future(file.readable())`.
    ///
    /// # Errors
    /// As for [`wait_readable`](super::wait_readable), and if the runtime has not been started.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::Async;
    /// use greenbridge_runtime::select;
    /// use std::time::Duration;
    ///
    /// # // SAFETY: nothing here touches a thread-local across a wait.
    /// # unsafe { greenbridge_runtime::Builder::new().start().expect("it starts") };
    /// let (reader, _writer) = std::io::pipe()?;
    /// let reader = Async::new(reader)?;
    /// select! {
    ///     future(reader.readable()) -> result => panic!("nobody writes, and yet {result:?}"),
    ///     after(Duration::from_millis(10)) => {}
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn readable(&self) -> Ready<'_> {
        Ready::new(&self.source, self.file.as_fd(), Direction::Read)
    }

    /// The same for when it is writable.
    ///
    /// # Errors
    /// As for [`readable`](Self::readable).
    pub fn writable(&self) -> Ready<'_> {
        Ready::new(&self.source, self.file.as_fd(), Direction::Write)
    }
}

impl<T> Async<T> {
    /// The file. An operation that is called on it directly may fail with `WouldBlock`.
    pub const fn get_ref(&self) -> &T {
        &self.file
    }
}

impl<T: AsFd> Read for &Async<T>
where
    for<'a> &'a T: Read,
{
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(|mut file| file.read(buffer))
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_with(|mut file| file.read_vectored(buffers))
    }
}

impl<T: AsFd> Write for &Async<T>
where
    for<'a> &'a T: Write,
{
    #[track_caller]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(|mut file| file.write(bytes))
    }

    #[track_caller]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_with(|mut file| file.write_vectored(slices))
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.write_with(|mut file| file.flush())
    }
}

impl<T: AsFd> Read for Async<T>
where
    for<'a> &'a T: Read,
{
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl<T: AsFd> Write for Async<T>
where
    for<'a> &'a T: Write,
{
    #[track_caller]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    #[track_caller]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<T: AsRawFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Async").field("file", &self.file).finish_non_exhaustive()
    }
}

#[inline(never)]
fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: takes no pointer.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::O_NONBLOCK != 0 {
        return Ok(());
    }
    // SAFETY: as above.
    match unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
