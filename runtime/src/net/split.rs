//! A stream in two halves, which two green threads use at the same time: one reads, one writes.
//!
//! A stream may be used by several at once as it is, since `&TcpStream` reads and writes too. Halves say in their types who does what, and
//! the owned ones end the connection's direction when they go.

use super::Shutdown;
use super::socket::{ShortRead, Socket};
use core::fmt;
use std::error::Error;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;

pub(super) mod sealed {
    /// The socket inside a stream.
    pub trait Stream {
        /// What the system means by a read that brings less than there is room for.
        const SHORT_READ: super::ShortRead;

        fn socket(&self) -> &super::Socket;
    }
}

/// A stream that can be split: [`TcpStream`](super::TcpStream) and [`UnixStream`](super::UnixStream). Nobody else implements it.
pub trait Stream: sealed::Stream {}

/// The half of a lent stream that reads: made by [`TcpStream::split`](super::TcpStream::split). What else the stream can do is there
/// through `as_ref`.
#[derive(Debug)]
pub struct ReadHalf<'a, S: Stream>(&'a S);

/// The half of a lent stream that writes. Dropping it ends nothing: see [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct WriteHalf<'a, S: Stream>(&'a S);

/// The half of a stream that reads: made by [`TcpStream::into_split`](super::TcpStream::into_split). What else the stream can do is there
/// through `as_ref`.
///
/// The descriptor is closed when both halves are gone.
#[derive(Debug)]
pub struct OwnedReadHalf<S: Stream>(Arc<S>);

/// The half of a stream that writes. When it is dropped, the peer reads to its end of file; [`forget`](Self::forget) leaves that out.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Stream> {
    stream: Arc<S>,
    /// Whether its end is the end of writing.
    ends: bool,
}

pub(super) fn split<S: Stream>(stream: &mut S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split<S: Stream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf { stream, ends: true })
}

impl<S: Stream> WriteHalf<'_, S> {
    /// Ends writing: the peer reads to its end of file.
    ///
    /// # Errors
    /// `NotConnected` if the peer has ended the connection already.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixStream;
    /// use std::io::Read;
    ///
    /// let (mut stream, mut peer) = UnixStream::pair()?;
    /// let (_, mut writer) = stream.split();
    /// writer.shutdown()?;
    /// assert_eq!(peer.read(&mut [0; 8])?, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.0.socket().options().shutdown(Shutdown::Write)
    }
}

impl<S: Stream> OwnedReadHalf<S> {
    /// Makes the stream whole again. The halves must be of the same stream.
    ///
    /// # Errors
    /// [`ReuniteError`] if they are not; it has both.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixStream;
    ///
    /// let (one, other) = UnixStream::pair()?;
    /// let ((one_reader, one_writer), (other_reader, other_writer)) = (one.into_split(), other.into_split());
    /// assert!(one_reader.reunite(one_writer).is_ok());
    /// assert!(other_reader.reunite(other_writer).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reunite(self, writer: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &writer.stream) {
            return Err(ReuniteError(self, writer));
        }
        writer.forget();
        Ok(Arc::into_inner(self.0).expect("a stream has two halves, and the other one is gone"))
    }
}

impl<S: Stream> OwnedWriteHalf<S> {
    /// Ends writing: the peer reads to its end of file.
    ///
    /// # Errors
    /// `NotConnected` if the peer has ended the connection already.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.stream.socket().options().shutdown(Shutdown::Write)
    }

    /// Drops it, and does not end writing.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixStream;
    /// use std::io::{Read, Write};
    ///
    /// let (stream, mut peer) = UnixStream::pair()?;
    /// let (mut reader, writer) = stream.into_split();
    /// writer.forget();
    /// peer.write_all(b"to a reader that is left")?;
    /// drop(peer);
    /// assert_eq!(reader.read_to_string(&mut String::new())?, 24);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn forget(mut self) {
        self.ends = false;
    }

    /// Makes the stream whole again: as [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    /// [`ReuniteError`] if the halves are not of the same stream; it has both.
    pub fn reunite(self, reader: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        reader.reunite(self)
    }
}

impl<S: Stream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.ends {
            // It fails where the connection has ended already.
            let _ = self.shutdown();
        }
    }
}

impl<S: Stream> AsRef<S> for ReadHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.0
    }
}

impl<S: Stream> AsRef<S> for WriteHalf<'_, S> {
    fn as_ref(&self) -> &S {
        self.0
    }
}

impl<S: Stream> AsRef<S> for OwnedReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.0
    }
}

impl<S: Stream> AsRef<S> for OwnedWriteHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

/// Reading, and writing, through the stream that `as_ref` gives.
macro_rules! half {
    (reads $type:ty) => {
        impl<S: Stream> Read for $type {
            #[inline(never)]
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.as_ref().socket().read(buffer, S::SHORT_READ)
            }

            #[inline(never)]
            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().socket().read_vectored(buffers, S::SHORT_READ)
            }
        }
    };
    (writes $type:ty) => {
        impl<S: Stream> Write for $type {
            #[inline(never)]
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.as_ref().socket().write(bytes)
            }

            #[inline(never)]
            #[track_caller]
            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().socket().write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

half!(reads ReadHalf<'_, S>);
half!(reads OwnedReadHalf<S>);
half!(writes WriteHalf<'_, S>);
half!(writes OwnedWriteHalf<S>);

/// The halves are of two streams: the error of [`OwnedReadHalf::reunite`].
pub struct ReuniteError<S: Stream>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: Stream> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<S: Stream> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not of the same stream")
    }
}

impl<S: Stream> Error for ReuniteError<S> {}
