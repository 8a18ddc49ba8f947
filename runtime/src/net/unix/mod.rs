//! Unix sockets: between processes of one machine, at paths and at abstract addresses.
//!
//! Addresses are std's: [`std::os::unix::net::SocketAddr`], and on Linux the abstract ones of `std::os::linux::net::SocketAddrExt`.

mod address;
mod datagram;
mod listener;
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::UnixStream;
