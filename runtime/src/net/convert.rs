//! From std's types and back, and from bare descriptors.
//!
//! Whatever comes here is put into non-blocking mode, and what goes back into the mode that std expects, unless the user has asked for the
//! other one; timeouts go along. An open descriptor does not refuse these; one that is no socket fails in each operation instead.

use super::socket::Socket;
use super::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use core::fmt;
use std::net;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net as unix;

macro_rules! conversions {
    ($type:ident, $std:ty) => {
        impl From<$std> for $type {
            fn from(socket: $std) -> Self {
                Self { socket: Socket::adopt(socket.into()) }
            }
        }

        impl From<$type> for $std {
            fn from(socket: $type) -> Self {
                socket.socket.give_away().into()
            }
        }

        impl From<OwnedFd> for $type {
            fn from(descriptor: OwnedFd) -> Self {
                Self { socket: Socket::adopt(descriptor.into()) }
            }
        }

        impl From<$type> for OwnedFd {
            fn from(socket: $type) -> Self {
                socket.socket.give_away().into()
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.as_fd()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl IntoRawFd for $type {
            fn into_raw_fd(self) -> RawFd {
                OwnedFd::from(self).into_raw_fd()
            }
        }
    };
}

conversions!(TcpListener, net::TcpListener);
conversions!(TcpStream, net::TcpStream);
conversions!(UdpSocket, net::UdpSocket);
conversions!(UnixDatagram, unix::UnixDatagram);
conversions!(UnixListener, unix::UnixListener);
conversions!(UnixStream, unix::UnixStream);

impl FromRawFd for TcpListener {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

impl FromRawFd for TcpStream {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

impl FromRawFd for UdpSocket {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

impl FromRawFd for UnixDatagram {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

impl FromRawFd for UnixListener {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

impl FromRawFd for UnixStream {
    unsafe fn from_raw_fd(descriptor: RawFd) -> Self {
        // SAFETY: the caller's.
        unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
    }
}

/// Prints a socket as std does: its ends as far as it has any, and its descriptor.
pub(super) fn debug(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    socket: &impl AsRawFd,
    ends: [(&str, Option<&dyn fmt::Debug>); 2],
) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    for (end, address) in ends {
        if let Some(address) = address {
            shown.field(end, address);
        }
    }
    shown.field("fd", &socket.as_raw_fd()).finish()
}
