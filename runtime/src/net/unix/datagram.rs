//! Datagrams over Unix sockets.

use super::address::{at_path, from_system, to_system};
use crate::net::convert;
use crate::net::options::{data_socket, every_socket};
use crate::net::socket::Socket;
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A Unix socket for datagrams: as [`std::os::unix::net::UnixDatagram`].
///
/// Nothing is lost on the way: a send waits while the receiver's queue is full.
///
/// # Blocking
/// A green thread waits alone, also in a callback from C; any other OS thread blocks. A receive into no room waits for a datagram as well, and
/// throws away what it has no room for.
///
/// # Cancellation
/// A wait ends early where the caller is [cancelled](crate::cancel), and has then taken and sent nothing.
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::UnixDatagram;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (one, other) = UnixDatagram::pair()?;
/// greenbridge_runtime::spawn(move || (0..100_u8).try_for_each(|n| one.send(&[n]).map(|_| ())));
/// for n in 0..100 {
///     let mut byte = [0];
///     other.recv(&mut byte)?;
///     assert_eq!(byte, [n]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnixDatagram {
    pub(in crate::net) socket: Socket,
}

impl UnixDatagram {
    /// Makes a socket at `path`. The file stays when the socket is gone.
    ///
    /// # Errors
    /// `AddrInUse` if there is a file; else as [`std::os::unix::net::UnixDatagram::bind`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixDatagram;
    ///
    /// let path = std::env::temp_dir().join(format!("greenbridge-datagrams-{}", std::process::id()));
    /// let (receiver, sender) = (UnixDatagram::bind(&path)?, UnixDatagram::unbound()?);
    /// sender.send_to(b"by path", &path)?;
    /// sender.connect(&path)?;
    /// sender.send(b"connected")?;
    /// let mut buffer = [0; 64];
    /// assert_eq!((receiver.recv(&mut buffer)?, receiver.recv(&mut buffer)?), (7, 9));
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_to(&at_path(path.as_ref())?)
    }

    /// Makes a socket at an address, which may be an abstract one.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::bind_addr`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixDatagram;
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// let address = SocketAddr::from_abstract_name(format!("example {}", std::process::id()))?;
    /// let (receiver, sender) = (UnixDatagram::bind_addr(&address)?, UnixDatagram::unbound()?);
    /// sender.send_to_addr(b"hello", &address)?;
    /// let mut buffer = [0; 8];
    /// let (length, from) = receiver.recv_from(&mut buffer)?;
    /// assert_eq!((&buffer[..length], from.is_unnamed()), (b"hello".as_slice(), true));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::bind_to(&to_system(address)?)
    }

    fn bind_to(address: &SockAddr) -> io::Result<Self> {
        let unbound = Self::unbound()?;
        unbound.socket.options().bind(address)?;
        Ok(unbound)
    }

    /// Makes a socket without an address: nobody can answer it.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn unbound() -> io::Result<Self> {
        Socket::open(Domain::UNIX, Type::DGRAM).map(|socket| Self { socket })
    }

    /// Makes two that are connected with each other.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = Socket::pair(Type::DGRAM)?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Connects with the socket at `path`: it then sends to that and receives from that only.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::connect`].
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.options().connect(&at_path(path.as_ref())?)
    }

    /// Connects with an address, which may be an abstract one: as [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::connect_addr`].
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.socket.options().connect(&to_system(address)?)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        from_system(&self.socket.options().local_addr()?)
    }

    /// The address that it is connected with.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        from_system(&self.socket.options().peer_addr()?)
    }

    /// Receives a datagram: how long it is, and who has sent it. What does not fit is lost.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::recv_from`]; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, sender) = self.socket.recv_from(buffer)?;
        Ok((length, from_system(&sender)?))
    }

    /// Receives a datagram: how long it is. What does not fit is lost.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    #[inline(never)]
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    /// Sends a datagram to the socket at `path`.
    ///
    /// # Blocking
    /// While the receiver's queue is full. No event announces the end of that to who is not connected, so it tries again, at first after a
    /// tenth of a millisecond, later after ten. [`send`](Self::send) need not.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::send_to`]; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.socket.send_to_unix(bytes, &at_path(path.as_ref())?)
    }

    /// Sends a datagram to an address, which may be an abstract one: as [`send_to`](Self::send_to).
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    #[inline(never)]
    #[track_caller]
    pub fn send_to_addr(&self, bytes: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.socket.send_to_unix(bytes, &to_system(address)?)
    }

    /// Sends a datagram to the peer that it is connected with.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixDatagram::send`]; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)
    }

    /// Ends receiving, sending or both, on all handles of the socket. Who receives then gets what was sent before, and then nothing: 0 bytes.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{Shutdown, UnixDatagram};
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// other.send(b"last")?;
    /// one.shutdown(Shutdown::Read)?;
    /// let mut buffer = [0; 64];
    /// assert_eq!((one.recv(&mut buffer)?, one.recv(&mut buffer)?), (4, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write {
            self.socket.limits().end();
        }
        self.socket.options().shutdown(how)
    }
}

every_socket!(UnixDatagram, "let (socket, _peer) = UnixDatagram::pair()?;");
data_socket!(UnixDatagram, "let (socket, _peer) = UnixDatagram::pair()?;");

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, peer) = (self.local_addr().ok(), self.peer_addr().ok());
        let ends = [("local", local.as_ref().map(|a| a as _)), ("peer", peer.as_ref().map(|a| a as _))];
        convert::debug(f, "UnixDatagram", self, ends)
    }
}
