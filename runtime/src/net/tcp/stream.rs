//! A TCP connection.

use crate::driver::clock;
use crate::net::address::{ToSocketAddrs, first_that_succeeds, internet_address};
use crate::net::convert;
use crate::net::limits::zero_timeout;
use crate::net::options::{data_socket, every_socket, internet_socket, stream_socket};
use crate::net::socket::{ShortRead, Socket};
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, Stream, WriteHalf, into_split, sealed, split};
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

/// A TCP connection: as [`std::net::TcpStream`].
///
/// `&TcpStream` reads and writes as well, so that one green thread reads while another one writes; [`split`](Self::split) and
/// [`into_split`](Self::into_split) say so in types. Two that read at once get what comes in turn, in no particular order.
///
/// # Blocking
/// Reads and writes wait for the peer: a green thread alone, also in a callback from C; any other OS thread blocks. A read into no room
/// returns 0 at once.
///
/// # Cancellation
/// A read or a write that would have to wait ends early where the caller is [cancelled](crate::cancel), and has then read or written
/// nothing. What loops, as `read_exact` and `write_all` do, may have done a part. The stream can be used on.
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// greenbridge_runtime::spawn(move || listener.accept().and_then(|(mut stream, _)| stream.write_all(b"hello")));
/// let mut greeting = String::new();
/// TcpStream::connect(address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TcpStream {
    pub(in crate::net) socket: Socket,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks. A name is looked up as [`ToSocketAddrs`] says.
    ///
    /// # Errors
    /// As [`std::net::TcpStream::connect`]: that of the last address.
    ///
    /// # Cancellation
    /// It ends early where the caller is [cancelled](crate::cancel); there is no connection then.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_succeeds(address, |address| Self::connect_until(address, None))
    }

    /// Connects to one address, and waits for no longer than `timeout`.
    ///
    /// # Blocking
    /// As [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut); [`InvalidInput`](io::ErrorKind::InvalidInput) if `timeout` is zero; else as
    /// [`std::net::TcpStream::connect_timeout`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert!(TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(5)).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(zero_timeout());
        }
        Self::connect_until(address, clock::deadline_after(timeout))
    }

    #[track_caller]
    fn connect_until(address: &SocketAddr, deadline: Option<Instant>) -> io::Result<Self> {
        let socket = Socket::open(Domain::for_address(*address), Type::STREAM)?;
        socket.connect(&SockAddr::from(*address), deadline)?;
        Ok(Self { socket })
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// `NotConnected` if there is none any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet_address(&self.socket.options().peer_addr()?)
    }

    /// Reads, and leaves what it has read where it is: the next read finds it again.
    ///
    /// # Blocking
    /// As a read.
    ///
    /// # Errors
    /// As a read.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    /// use std::io::{Read, Write};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    /// client.write_all(b"x")?;
    /// let (mut peeked, mut read) = ([0; 2], [0; 2]);
    /// assert_eq!((server.peek(&mut peeked)?, server.read(&mut read)?), (1, 1));
    /// assert_eq!(peeked, read);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() { Ok(0) } else { self.socket.peek(buffer) }
    }

    /// Whether small writes are sent at once, and not gathered (Nagle's algorithm).
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// stream.set_nodelay(true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.options().set_tcp_nodelay(nodelay)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.options().tcp_nodelay()
    }

    /// Sets what happens when the last handle is closed with data unsent. None: the system sends them on. Zero: they are thrown away, and the
    /// peer gets a reset.
    ///
    /// With any other time the close itself blocks the OS thread, for that long at most, whatever the mode of the socket: do it where the
    /// processor is handed on.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    /// use std::io::{ErrorKind, Read};
    /// use std::time::Duration;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// client.set_linger(Some(Duration::ZERO))?;
    /// assert_eq!(client.linger()?, Some(Duration::ZERO));
    /// let (mut server, _) = listener.accept()?;
    /// drop(client);
    /// assert_eq!(server.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket.options().set_linger(linger)
    }

    /// How long a close waits for data to be sent.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket.options().linger()
    }
}

every_socket!(
    TcpStream,
    "let listener = greenbridge_runtime::net::TcpListener::bind(\"127.0.0.1:0\")?;\n\
     let socket = TcpStream::connect(listener.local_addr()?)?;"
);
data_socket!(
    TcpStream,
    "let listener = greenbridge_runtime::net::TcpListener::bind(\"127.0.0.1:0\")?;\n\
     let socket = TcpStream::connect(listener.local_addr()?)?;"
);
internet_socket!(
    TcpStream,
    "let listener = greenbridge_runtime::net::TcpListener::bind(\"127.0.0.1:0\")?;\n\
     let socket = TcpStream::connect(listener.local_addr()?)?;"
);
// A read stops before urgent data as well; the reactor, which hears of those, then expects more: see `driver/poller.rs`.
stream_socket!(TcpStream, ShortRead::Drained);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (addr, peer) = (self.local_addr().ok(), self.peer_addr().ok());
        let ends = [("addr", addr.as_ref().map(|a| a as _)), ("peer", peer.as_ref().map(|a| a as _))];
        convert::debug(f, "TcpStream", self, ends)
    }
}
