//! A TCP socket that takes connections.

use super::TcpStream;
use crate::net::address::{ToSocketAddrs, first_that_succeeds, internet_address};
use crate::net::convert;
use crate::net::incoming::Incoming;
use crate::net::options::{every_socket, internet_socket};
use crate::net::socket::Socket;
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// A TCP socket that takes connections: as [`std::net::TcpListener`].
///
/// # Examples
/// A server that sends back what it gets, and a client:
/// ```
/// use greenbridge_runtime::net::{Shutdown, TcpListener, TcpStream};
/// use greenbridge_runtime::spawn;
/// use std::io::{self, Read, Write};
///
/// fn serve(listener: TcpListener) {
///     for stream in listener.incoming().flatten() {
///         spawn(move || io::copy(&mut &stream, &mut &stream));
///     }
/// }
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// greenbridge_runtime::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     spawn(|| serve(listener));
///
///     let mut stream = TcpStream::connect(address)?;
///     stream.write_all(b"hello")?;
///     stream.shutdown(Shutdown::Write)?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer)?;
///     assert_eq!(answer, "hello");
///     Ok::<(), io::Error>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TcpListener {
    pub(in crate::net) socket: Socket,
}

impl TcpListener {
    /// Binds to the first of the addresses that can be bound, and listens. The port 0 stands for any free one.
    ///
    /// As std's, it takes a port over that connections of an earlier process still keep. As many connections may wait for
    /// [`accept`](Self::accept) as the system allows.
    ///
    /// # Errors
    /// As [`std::net::TcpListener::bind`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::TcpListener;
    ///
    /// let listener = TcpListener::bind(("127.0.0.1", 0))?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_succeeds(address, |address| {
            let socket = Socket::open(Domain::for_address(*address), Type::STREAM)?;
            socket.options().set_reuse_address(true)?;
            socket.listen(&SockAddr::from(*address))?;
            Ok(Self { socket })
        })
    }

    /// Waits for a connection, and returns it with the address of the peer.
    ///
    /// Several green threads may wait on one listener; each connection goes to one of them.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// What goes wrong with one connection says nothing of the next: go on. If the process has no descriptor left (`EMFILE`, `ENFILE`), the
    /// connection waits on, and the next call returns the same error at once: let some time pass before, as `docs/sockets.md` shows.
    ///
    /// # Cancellation
    /// It ends early where the caller is [cancelled](crate::cancel), and has then taken no connection.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (_server, address) = listener.accept()?;
    /// assert_eq!(address, client.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        Ok((TcpStream { socket }, internet_address(&address)?))
    }

    /// The connections, one after the other, without end: as [`accept`](Self::accept).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let _clients = (TcpStream::connect(listener.local_addr()?)?, TcpStream::connect(listener.local_addr()?)?);
    /// assert_eq!(listener.incoming().take(2).flatten().count(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_, Self> {
        Incoming::new(self)
    }

    /// Lets [`accept`](Self::accept) wait until `deadline` and no longer: it then returns [`TimedOut`](io::ErrorKind::TimedOut). None: as
    /// long as it takes.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::TcpListener;
    /// use std::io::ErrorKind;
    /// use std::time::Instant;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// listener.set_deadline(Some(Instant::now()));
    /// assert_eq!(listener.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::TimedOut));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.socket.limits().read.set_deadline(deadline);
    }
}

every_socket!(TcpListener, "let socket = TcpListener::bind(\"127.0.0.1:0\")?;");
internet_socket!(TcpListener, "let socket = TcpListener::bind(\"127.0.0.1:0\")?;");

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        convert::debug(f, "TcpListener", self, [("addr", self.local_addr().ok().as_ref().map(|a| a as _)), ("", None)])
    }
}
