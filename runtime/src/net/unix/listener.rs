//! A Unix socket that takes connections.

use super::address::{at_path, from_system, to_system};
use super::stream::UnixStream;
use crate::net::convert;
use crate::net::incoming::Incoming;
use crate::net::options::every_socket;
use crate::net::socket::Socket;
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

/// A Unix socket that takes connections: as [`std::os::unix::net::UnixListener`].
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::{UnixListener, UnixStream};
/// use std::io::{Read, Write};
/// use std::os::linux::net::SocketAddrExt;
/// use std::os::unix::net::SocketAddr;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let address = SocketAddr::from_abstract_name(format!("example {}", std::process::id()))?;
/// let listener = UnixListener::bind_addr(&address)?;
/// greenbridge_runtime::spawn(move || listener.accept().and_then(|(mut stream, _)| stream.write_all(b"hello")));
/// let mut greeting = String::new();
/// UnixStream::connect_addr(&address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UnixListener {
    pub(in crate::net) socket: Socket,
}

impl UnixListener {
    /// Makes a socket at `path`, and listens. The file stays when the listener is gone.
    ///
    /// # Errors
    /// `AddrInUse` if there is a file; else as [`std::os::unix::net::UnixListener::bind`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixListener;
    ///
    /// let path = std::env::temp_dir().join(format!("greenbridge-example-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_path()));
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::listen(&at_path(path.as_ref())?)
    }

    /// Binds to an address, which may be an abstract one, and listens.
    ///
    /// # Errors
    /// As [`std::os::unix::net::UnixListener::bind_addr`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UnixListener;
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// let address = SocketAddr::from_abstract_name(format!("example {}", std::process::id()))?;
    /// let listener = UnixListener::bind_addr(&address)?;
    /// assert_eq!(listener.local_addr()?.as_abstract_name(), address.as_abstract_name());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::listen(&to_system(address)?)
    }

    fn listen(address: &SockAddr) -> io::Result<Self> {
        let socket = Socket::open(Domain::UNIX, Type::STREAM)?;
        socket.listen(address)?;
        Ok(Self { socket })
    }

    /// Waits for a connection, and returns it with the address of the peer, which has none as a rule: as
    /// [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// As [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("greenbridge-accept-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// let _client = UnixStream::connect(&path)?;
    /// let (_server, address) = listener.accept()?;
    /// assert!(address.is_unnamed());
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        Ok((UnixStream { socket }, from_system(&address)?))
    }

    /// The connections, one after the other, without end: as [`accept`](Self::accept). `for stream in &listener` does the same.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("greenbridge-incoming-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// let _client = UnixStream::connect(&path)?;
    /// assert_eq!(listener.incoming().take(1).flatten().count(), 1);
    /// std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_, Self> {
        Incoming::new(self)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        from_system(&self.socket.options().local_addr()?)
    }

    /// Lets [`accept`](Self::accept) wait until `deadline` and no longer: it then returns [`TimedOut`](io::ErrorKind::TimedOut). None: as
    /// long as it takes.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.socket.limits().read.set_deadline(deadline);
    }
}

every_socket!(
    UnixListener,
    "# use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};\n\
     let address = SocketAddr::from_abstract_name(format!(\"example {}\", std::process::id()))?;\n\
     let socket = UnixListener::bind_addr(&address)?;"
);

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        convert::debug(
            f,
            "UnixListener",
            self,
            [("local", self.local_addr().ok().as_ref().map(|a| a as _)), ("", None)],
        )
    }
}
