//! Sockets, pipes and other files that one waits for.
//!
//! | for | use |
//! |---|---|
//! | sockets, as in `std::net` and `std::os::unix::net` | [`TcpListener`], [`TcpStream`], [`UdpSocket`], [`UnixListener`], [`UnixStream`], [`UnixDatagram`] |
//! | names | [`lookup_host`], [`ToSocketAddrs`] |
//! | any other file that can be non-blocking | [`Async`] |
//! | a file that belongs to somebody else, as to a C library | [`wait_readable`], [`wait_writable`] |
//! | the first of several such files | [`poll`](poll()) |
//!
//! All of them work on a green thread, which switches away, in a callback from C, and on an OS thread, which blocks. Before the runtime has
//! been started an OS thread waits by `poll(2)`.
//!
//! The sockets have the methods of std's, with the same names, errors and results: a program is carried over by changing the imports. What is
//! more: deadlines beside timeouts, halves, [cancellation](crate::cancel). What is not here is in the crate `socket2`, whose `SockRef` takes
//! any of these.
//!
//! # Examples
//! A server is a loop around [`accept`](TcpListener::accept) and [`spawn`](crate::spawn()):
//! ```no_run
//! use greenbridge_runtime::net::TcpListener;
//! use greenbridge_runtime::spawn;
//! use std::io;
//!
//! # fn serve() -> io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:7000")?;
//! loop {
//!     let (stream, _) = listener.accept()?;
//!     spawn(move || io::copy(&mut &stream, &mut &stream));
//! }
//! # }
//! ```

mod address;
mod async_fd;
mod convert;
mod incoming;
mod limits;
mod options;
mod poll;
mod ready;
mod socket;
mod split;
mod tcp;
mod udp;
mod unix;

pub use address::{ToSocketAddrs, lookup_host};
pub use async_fd::Async;
pub use incoming::Incoming;
pub use poll::{PollFd, poll};
pub use ready::{
    Ready, wait_readable, wait_readable_deadline, wait_readable_timeout, wait_writable, wait_writable_deadline,
    wait_writable_timeout,
};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, Stream, WriteHalf};
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};
