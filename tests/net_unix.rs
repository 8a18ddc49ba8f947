//! Unix sockets do what std's do, at paths and at abstract addresses; whoever sends to a full queue waits for room.
//!
//! What could break it: waits that the system announces no end of (a listener whose queue is full, a receiver that one is not connected
//! with), and a difference from std.

mod support;

use greenbridge::net::{Shutdown, UnixDatagram, UnixListener, UnixStream};
use greenbridge::{spawn, yield_now};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{child, child_on_processors, run, sees_what_std_sees, yield_until};

/// An address that nobody else has.
fn abstract_address(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(format!("greenbridge {name} {}", std::process::id())).expect("it is short")
}

/// A path of a file that is removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("greenbridge-{name}-{}", std::process::id())));
        let _ = std::fs::remove_file(&place.0);
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The same calls on the types of one module, each with what it comes to.
macro_rules! observations {
    ($($net:ident)::+) => {{
        use $($net)::+::{UnixDatagram, UnixListener, UnixStream};
        let mut seen = Vec::new();
        let mut see = |what: &str, came: String| seen.push(format!("{what}: {came}"));
        fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> String {
            format!("{:?}", result.map_err(|error| (error.kind(), error.raw_os_error())))
        }
        fn shown(result: io::Result<SocketAddr>) -> String {
            kind(result).replace(&std::process::id().to_string(), "ID")
        }
        let place = Place::new("like-std");
        let listener = UnixListener::bind(&place.0)?;
        see("bound", shown(listener.local_addr()));
        see("bind twice", kind(UnixListener::bind(&place.0).map(drop)));
        see("bind to no path", kind(UnixListener::bind("\0name").map(drop)));
        see("bind to a long path", kind(UnixListener::bind("x".repeat(200)).map(drop)));
        see("bind in no folder", kind(UnixListener::bind("/no such folder/socket").map(drop)));
        see("connect to nothing", kind(UnixStream::connect("/no such file").map(drop)));
        see("pending error", kind(listener.take_error().map(|error| error.is_none())));

        let mut client = UnixStream::connect(&place.0)?;
        let (mut server, from) = listener.accept()?;
        see("from", shown(Ok(from)));
        see("ends", [client.local_addr(), client.peer_addr(), server.local_addr(), server.peer_addr()].map(shown).join(" "));
        let mut buffer = [0; 4];
        see("written", kind(client.write(b"abcdef").and_then(|_| server.read(&mut buffer))));
        see("half-close", kind(client.shutdown(Shutdown::Write)));
        see("rest", kind(server.read(&mut buffer)));
        see("end of file", kind(server.read(&mut buffer)));
        see("after the end", kind(client.write(b"x")));
        see("the other half", kind(server.write(b"late").and_then(|_| client.read(&mut buffer))));
        drop(server);
        see("end", kind(client.read(&mut buffer)));
        see("zero timeout", kind(client.set_write_timeout(Some(Duration::ZERO))));
        see("timeout", kind(client.set_read_timeout(Some(Duration::from_secs(3))).and_then(|()| client.read_timeout())));

        let address = abstract_address("like-std");
        let named = UnixListener::bind_addr(&address)?;
        see("bound by name", shown(named.local_addr()));
        see("bind by name twice", kind(UnixListener::bind_addr(&address).map(drop)));
        let stream = UnixStream::connect_addr(&address)?;
        see("peer by name", shown(stream.peer_addr()));
        see("accepted", kind((&named).into_iter().next().expect("it does not end").map(drop)));
        drop(named);
        see("gone", kind(UnixStream::connect_addr(&address).map(drop)));

        let receiver = UnixDatagram::bind_addr(&address)?;
        let sender = UnixDatagram::unbound()?;
        see("unbound", shown(sender.local_addr()));
        see("no peer", kind(sender.send(b"x")));
        see("to a name", kind(sender.send_to_addr(b"abcdef", &address)));
        see("received", shown(receiver.recv_from(&mut buffer).map(|(_, from)| from)));
        see("to a path", kind(sender.send_to(b"x", "/no such file")));
        see("to a listener", kind(sender.send_to(b"x", &place.0)));
        see("connected", kind(sender.connect_addr(&address).and_then(|()| sender.send(b"abcdef"))));
        see("peer", shown(sender.peer_addr()));
        see("cut", format!("{} {buffer:?}", kind(receiver.recv(&mut buffer))));
        see("empty", kind(sender.send(b"").and_then(|_| receiver.recv(&mut buffer))));
        drop(receiver);
        see("gone, too", kind(sender.send(b"x")));
        let (one, other) = UnixDatagram::pair()?;
        see("pair", kind(one.send(b"hello").and_then(|_| other.recv(&mut buffer))));
        see("shutdown", kind(one.shutdown(Shutdown::Both)));
        see("after shutdown", kind(one.send(b"hello")));
        see("end of datagrams", kind(one.recv(&mut buffer)));
        Ok::<_, io::Error>(seen)
    }};
}

#[test]
fn each_method_does_what_stds_does() {
    child("methods_like_std").succeeds();
}

#[test]
#[ignore = "child process"]
fn methods_like_std() {
    sees_what_std_sees(of_greenbridge, of_std);
}

fn of_std() -> io::Result<Vec<String>> {
    observations!(std::os::unix::net)
}

fn of_greenbridge() -> io::Result<Vec<String>> {
    observations!(greenbridge::net)
}

#[test]
fn a_sender_waits_while_the_receivers_queue_is_full() {
    child_on_processors("full_queues", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn full_queues() {
    const DATAGRAMS: u32 = 2000;
    run(|| {
        let address = abstract_address("full-queue");
        let receiver = UnixDatagram::bind_addr(&address).expect("nobody else has it");
        // One is connected, and told of room; the others are not.
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let address = address.clone();
                spawn(move || {
                    let sender = UnixDatagram::unbound().expect("descriptors are left");
                    if number == 0 {
                        sender.connect_addr(&address).expect("it is there");
                    }
                    for n in 0..DATAGRAMS {
                        let bytes = n.to_be_bytes();
                        let sent =
                            if number == 0 { sender.send(&bytes) } else { sender.send_to_addr(&bytes, &address) };
                        assert_eq!(sent.expect("it waits"), 4);
                    }
                })
            })
            .collect();
        let (mut sum, mut bytes) = (0, [0; 4]);
        for _ in 0..4 * DATAGRAMS {
            receiver.recv(&mut bytes).expect("no error");
            sum += u64::from(u32::from_be_bytes(bytes));
        }
        assert_eq!(sum, 4 * (0..u64::from(DATAGRAMS)).sum::<u64>());
        for sender in senders {
            sender.join().expect("no panic");
        }

        // A send that waits in vain ends at its timeout, whichever way.
        let sender = UnixDatagram::unbound().expect("descriptors are left");
        sender.set_write_timeout(Some(Duration::from_millis(3))).expect("it is not zero");
        let begin = Instant::now();
        let full = std::iter::repeat_with(|| sender.send_to_addr(b"x", &address)).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::TimedOut));
        assert!(begin.elapsed() >= Duration::from_millis(3), "it ended early");
        sender.connect_addr(&address).expect("it is there");
        assert_eq!(sender.send(b"x").expect_err("it is full").kind(), ErrorKind::TimedOut);
        sender.set_nonblocking(true).expect("it is a socket");
        assert_eq!(sender.send(b"x").expect_err("it is full").kind(), ErrorKind::WouldBlock);
        assert_eq!(sender.send_to_addr(b"x", &address).expect_err("it is full").kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_connect_waits_while_the_listeners_queue_is_full() {
    child_on_processors("full_listener", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn full_listener() {
    const CLIENTS: usize = 20;
    run(|| {
        let address = abstract_address("full-listener");
        // Room for one or two, and not for all that is allowed.
        let socket =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("descriptors are left");
        let name = [b"\0", address.as_abstract_name().expect("it has one")].concat();
        let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(name);
        socket.bind(&socket2::SockAddr::unix(path).expect("it is short")).expect("nobody else has it");
        socket.listen(1).expect("it is bound");
        let listener = UnixListener::from(OwnedFd::from(socket));

        let connected = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (address, connected) = (address.clone(), Arc::clone(&connected));
                spawn(move || {
                    let mut stream = UnixStream::connect_addr(&address).expect("it waits");
                    connected.fetch_add(1, Ordering::AcqRel);
                    let mut heard = Vec::new();
                    stream.read_to_end(&mut heard).expect("no error");
                    assert_eq!(heard, b"hello");
                })
            })
            .collect();
        yield_until(&connected, 1);
        for _ in 0..100 {
            yield_now();
        }
        assert!(connected.load(Ordering::Acquire) < CLIENTS, "the queue has no end");
        for stream in listener.incoming().take(CLIENTS) {
            stream.expect("no error").write_all(b"hello").expect("there is room");
        }
        for client in clients {
            client.join().expect("no panic");
        }

        // And is cancelled while it waits.
        let connects: Vec<_> = (0..4)
            .map(|_| {
                let address = address.clone();
                spawn(move || UnixStream::connect_addr(&address).map(|_| ()))
            })
            .collect();
        for _ in 0..100 {
            yield_now();
        }
        connects.iter().for_each(|connects| connects.cancel());
        assert!(connects.into_iter().map(|connects| connects.join()).any(|result| result.is_err()));
    });
}

#[test]
fn a_read_stops_where_descriptors_come_along_and_the_next_one_goes_on() {
    child("descriptors_sent_along").succeeds();
}

#[test]
#[ignore = "child process"]
fn descriptors_sent_along() {
    run(|| {
        let (client, mut server) = UnixStream::pair().expect("descriptors are left");
        let reads = spawn(move || {
            let (mut received, mut buffer) = (Vec::new(), [0; 64]);
            while !received.ends_with(b"end") {
                let length = server.read(&mut buffer).expect("no error");
                received.extend_from_slice(&buffer[..length]);
            }
            received
        });
        yield_now();
        for _ in 0..20 {
            send_with_descriptor(&client, b"with");
            (&client).write_all(b"without").expect("there is room");
        }
        (&client).write_all(b"end").expect("there is room");
        assert_eq!(reads.join().expect("no panic"), [&b"withwithout".repeat(20)[..], b"end"].concat());
    });
}

/// Sends bytes and, with them, a descriptor: that of the socket itself.
fn send_with_descriptor(socket: &UnixStream, bytes: &[u8]) {
    use std::os::fd::AsRawFd;
    let descriptor = socket.as_raw_fd();
    let mut control = [0_u64; 4];
    // SAFETY: all bytes zero is a valid value of this structure.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: computes a size.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
    // SAFETY: there is room for one header and a descriptor, as said in the message.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(descriptor);
    }
    // SAFETY: the message and what it refers to live over the call.
    let sent = unsafe { libc::sendmsg(descriptor, &raw const message, 0) };
    assert_eq!(usize::try_from(sent), Ok(bytes.len()), "there is room");
}
