//! UDP.

use super::address::{ToSocketAddrs, first_that_succeeds, internet_address, invalid};
use super::convert;
use super::options::{data_socket, every_socket, internet_socket};
use super::socket::Socket;
use core::fmt;
use socket2::{Domain, SockAddr, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A UDP socket: as [`std::net::UdpSocket`].
///
/// # Blocking
/// Receives wait for a datagram, sends for room: a green thread alone, also in a callback from C; any other OS thread blocks. A receive
/// into no room waits for a datagram as well, and throws away what it has no room for.
///
/// # Cancellation
/// A wait ends early where the caller is [cancelled](crate::cancel), and has then taken and sent nothing.
///
/// # Examples
/// ```
/// use greenbridge_runtime::net::UdpSocket;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?;
/// greenbridge_runtime::spawn(move || {
///     let mut question = [0; 64];
///     while let Ok((length, client)) = server.recv_from(&mut question) {
///         question[..length].reverse();
///         let _ = server.send_to(&question[..length], client);
///     }
/// });
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.connect(address)?;
/// client.send(b"abc")?;
/// let mut answer = [0; 64];
/// let length = client.recv(&mut answer)?;
/// assert_eq!(&answer[..length], b"cba");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UdpSocket {
    pub(super) socket: Socket,
}

impl UdpSocket {
    /// Binds to the first of the addresses that can be bound. The port 0 stands for any free one.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::bind`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_succeeds(address, |address| {
            let socket = Socket::open(Domain::for_address(*address), Type::DGRAM)?;
            socket.options().bind(&SockAddr::from(*address))?;
            Ok(Self { socket })
        })
    }

    /// Connects to the first of the addresses that it can be connected with: it then sends to that and receives from that only.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::connect`].
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.connect(other.local_addr()?)?;
    /// assert_eq!(one.peer_addr()?, other.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        first_that_succeeds(address, |address| self.socket.options().connect(&SockAddr::from(*address)))
    }

    /// The address that it is connected with.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet_address(&self.socket.options().peer_addr()?)
    }

    /// Receives a datagram: how long it is, and who has sent it. What does not fit is lost.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::recv_from`]; [`TimedOut`](io::ErrorKind::TimedOut).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.send_to(b"hello", other.local_addr()?)?;
    /// let mut buffer = [0; 64];
    /// let (length, sender) = other.recv_from(&mut buffer)?;
    /// assert_eq!((&buffer[..length], sender), (b"hello".as_slice(), one.local_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, sender) = self.socket.recv_from(buffer)?;
        Ok((length, internet_address(&sender)?))
    }

    /// As [`recv_from`](Self::recv_from), and the datagram stays: the next receive finds it again.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.send_to(b"to myself", socket.local_addr()?)?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.peek_from(&mut buffer)?, socket.recv_from(&mut buffer)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, sender) = self.socket.peek_from(buffer)?;
        Ok((length, internet_address(&sender)?))
    }

    /// Sends a datagram to the first of the addresses.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::send_to`]; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let address = address.to_socket_addrs()?.next().ok_or_else(|| invalid("no addresses to send data to"))?;
        self.socket.send_to(bytes, &SockAddr::from(address))
    }

    /// Receives a datagram of the peer that it is connected with.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::recv`]: `ConnectionRefused` if nobody listens there; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    /// As [`recv`](Self::recv), and the datagram stays: the next receive finds it again.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect(socket.local_addr()?)?;
    /// socket.send(b"to myself")?;
    /// let mut buffer = [0; 64];
    /// assert_eq!(socket.peek(&mut buffer)?, socket.recv(&mut buffer)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.peek(buffer)
    }

    /// Sends a datagram to the peer that it is connected with.
    ///
    /// # Errors
    /// As [`std::net::UdpSocket::send`]; [`TimedOut`](io::ErrorKind::TimedOut).
    #[inline(never)]
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)
    }

    /// Whether it may send to everybody on the network.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_broadcast(true)?;
    /// assert!(socket.broadcast()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.socket.options().set_broadcast(broadcast)
    }

    /// Whether it may send to everybody on the network.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.options().broadcast()
    }
}

/// Groups, each a word for word of std's.
impl UdpSocket {
    /// Whether what it sends to a group comes back to this machine, in IPv4.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_multicast_loop_v4(false)?;
    /// assert!(!socket.multicast_loop_v4()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v4(&self, comes_back: bool) -> io::Result<()> {
        self.socket.options().set_multicast_loop_v4(comes_back)
    }

    /// Whether what it sends to a group comes back to this machine, in IPv4.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.options().multicast_loop_v4()
    }

    /// Sets how many routers what it sends to a group may pass, in IPv4.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_multicast_ttl_v4(3)?;
    /// assert_eq!(socket.multicast_ttl_v4()?, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.socket.options().set_multicast_ttl_v4(ttl)
    }

    /// How many routers what it sends to a group may pass, in IPv4.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.options().multicast_ttl_v4()
    }

    /// Whether what it sends to a group comes back to this machine, in IPv6.
    ///
    /// # Errors
    /// If the system refuses, or the socket is not one of IPv6.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::UdpSocket;
    ///
    /// // A machine may be without IPv6.
    /// if let Ok(socket) = UdpSocket::bind("[::1]:0") {
    ///     socket.set_multicast_loop_v6(false)?;
    ///     assert!(!socket.multicast_loop_v6()?);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_multicast_loop_v6(&self, comes_back: bool) -> io::Result<()> {
        self.socket.options().set_multicast_loop_v6(comes_back)
    }

    /// Whether what it sends to a group comes back to this machine, in IPv6.
    ///
    /// # Errors
    /// If the system does not tell, or the socket is not one of IPv6.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.options().multicast_loop_v6()
    }

    /// Joins a group: it receives what is sent there, through the interface with the given address, or through any.
    ///
    /// # Errors
    /// If the address is none of a group, or there is no such interface.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::net::{Ipv4Addr, UdpSocket};
    ///
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// let (group, interface) = (Ipv4Addr::new(224, 0, 0, 123), Ipv4Addr::LOCALHOST);
    /// socket.join_multicast_v4(&group, &interface)?;
    /// socket.leave_multicast_v4(&group, &interface)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.options().join_multicast_v4(group, interface)
    }

    /// Joins a group of IPv6, through the interface with the given number, or through any: 0.
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.options().join_multicast_v6(group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// If it is not in it.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.options().leave_multicast_v4(group, interface)
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// If it is not in it.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.options().leave_multicast_v6(group, interface)
    }
}

every_socket!(UdpSocket, "let socket = UdpSocket::bind(\"127.0.0.1:0\")?;");
data_socket!(UdpSocket, "let socket = UdpSocket::bind(\"127.0.0.1:0\")?;");
internet_socket!(UdpSocket, "let socket = UdpSocket::bind(\"127.0.0.1:0\")?;");

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        convert::debug(f, "UdpSocket", self, [("addr", self.local_addr().ok().as_ref().map(|a| a as _)), ("", None)])
    }
}
