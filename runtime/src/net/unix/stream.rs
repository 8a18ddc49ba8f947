//! A connection over a Unix socket.

use super::address::{at_path, from_system, to_system};
use crate::net::convert;
use crate::net::options::{data_socket, every_socket, stream_socket};
use crate::net::socket::{ShortRead, Socket};
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, Stream, WriteHalf, into_split, sealed, split};
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection over a Unix socket: as [`std::os::unix::net::UnixStream`].
///
/// It reads, writes, waits and is split as a [`TcpStream`](crate::net::TcpStream).
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::UnixStream;
/// use std::io::{Read, Write};
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (mut one, mut other) = UnixStream::pair()?;
/// greenbridge_runtime::spawn(move || one.write_all(b"hello"));
/// let mut greeting = String::new();
/// other.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnixStream {
    pub(in crate::net) socket: Socket,
}

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// # Blocking
    /// It waits while as many connections as the listener allows wait for `accept`. No event announces the end of that, so it tries
    /// again, at first after a tenth of a millisecond, later after ten.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixStream::connect`].
    ///
    /// # Cancellation
    /// It ends early where the caller is [cancelled](crate::cancel); there is no connection then.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("greenbridge-connect-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// let _client = UnixStream::connect(&path)?;
    /// assert!(listener.accept().is_ok());
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_to(&at_path(path.as_ref())?)
    }

    /// Connects to an address, which may be an abstract one: as [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixStream::connect_addr`].
    #[inline(never)]
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::connect_to(&to_system(address)?)
    }

    #[track_caller]
    fn connect_to(address: &SockAddr) -> io::Result<Self> {
        let socket = Socket::open(Domain::UNIX, Type::STREAM)?;
        socket.connect_unix(address)?;
        Ok(Self { socket })
    }

    /// Makes two that are connected with each other.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixStream;
    /// use std::io::{Read, Write};
    ///
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// one.write_all(b"x")?;
    /// assert_eq!(other.read(&mut [0; 8])?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = Socket::pair(Type::STREAM)?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// If the system does not tell.
    ///
    /// # Examples
    /// ```
    /// let (one, _other) = greenbridge_runtime::net::UnixStream::pair()?;
    /// assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        from_system(&self.socket.options().local_addr()?)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// `NotConnected` if there is none any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        from_system(&self.socket.options().peer_addr()?)
    }
}

every_socket!(UnixStream, "let (socket, _peer) = UnixStream::pair()?;");
data_socket!(UnixStream, "let (socket, _peer) = UnixStream::pair()?;");
// A read stops where descriptors or credentials were sent along, whatever comes behind them.
stream_socket!(UnixStream, ShortRead::Nothing);

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, peer) = (self.local_addr().ok(), self.peer_addr().ok());
        let ends = [("local", local.as_ref().map(|a| a as _)), ("peer", peer.as_ref().map(|a| a as _))];
        convert::debug(f, "UnixStream", self, ends)
    }
}
