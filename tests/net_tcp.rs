//! TCP sockets do what std's do, and a green thread that waits for one holds nobody up.
//!
//! What could break it: an edge of readiness that is lost, so that somebody waits for ever; bytes that are lost, doubled or
//! exchanged between connections; and a difference from std that a program would trip over.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use greenbridge::{spawn, yield_now};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Random, child, child_on_processors, run, sees_what_std_sees, yield_until};

/// Any free port.
const LOOPBACK: &str = "127.0.0.1:0";
const MILLISECOND: Duration = Duration::from_millis(1);

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOOPBACK).expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn connected() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let client = TcpStream::connect(address).expect("somebody listens");
    let (server, peer) = listener.accept().expect("somebody has connected");
    assert_eq!(peer, client.local_addr().expect("it is connected"));
    (client, server)
}

#[test]
fn what_is_echoed_is_what_was_sent() {
    child_on_processors("clients_are_echoed", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn clients_are_echoed() {
    const CLIENTS: u64 = 64;
    run(|| {
        let (listener, address) = listen();
        spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("descriptors are left");
                spawn(move || io::copy(&mut &stream, &mut &stream).expect("the client ends it in order"));
            }
        });
        let clients: Vec<_> = (0..CLIENTS).map(|number| spawn(move || be_echoed(address, number))).collect();
        for client in clients {
            client.join().expect("no panic").expect("no error");
        }
    });
}

/// Sends pseudo-random bytes in pieces of all sizes, and expects each of them back.
fn be_echoed(address: SocketAddr, number: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(number.is_multiple_of(2))?;
    let mut random = Random::new(number);
    for _ in 0..50 {
        let length = usize::try_from(1 + random.below(20_000)).expect("it is small");
        let sent: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        stream.write_all(&sent)?;
        let mut echoed = vec![0; length];
        stream.read_exact(&mut echoed)?;
        assert!(sent == echoed, "other bytes came back");
    }
    stream.shutdown(Shutdown::Write)?;
    assert_eq!(stream.read(&mut [0])?, 0, "the server has nothing more to say");
    Ok(())
}

/// The same calls on the types of one module, each with what it comes to.
macro_rules! observations {
    ($($net:ident)::+) => {{
        use $($net)::+::{TcpListener, TcpStream};
        let mut seen = Vec::new();
        let mut see = |what: &str, came: String| seen.push(format!("{what}: {came}"));
        fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> String {
            format!("{:?}", result.map_err(|error| (error.kind(), error.raw_os_error())))
        }

        let listener = TcpListener::bind(LOOPBACK)?;
        let address = listener.local_addr()?;
        see("bind twice", kind(TcpListener::bind(address).map(drop)));
        see("bind to none", kind(TcpListener::bind(&[][..]).map(drop)));
        see("bind to the second", kind(TcpListener::bind(&[address, SocketAddr::from(([127, 0, 0, 1], 0))][..]).map(drop)));
        see("bind without a port", kind(TcpListener::bind("127.0.0.1").map(drop)));
        see("bind to a bad port", kind(TcpListener::bind("127.0.0.1:99999").map(drop)));
        see("bind elsewhere", kind(TcpListener::bind("192.0.2.1:0").map(drop)));
        see("ttl", kind(listener.set_ttl(77).and_then(|()| listener.ttl())));
        see("pending error", kind(listener.take_error().map(|error| error.is_none())));

        let mut client = TcpStream::connect(("127.0.0.1", address.port()))?;
        let (mut server, peer) = listener.accept()?;
        see("ends", format!("{} {}", peer == client.local_addr()?, client.peer_addr()? == address));
        see("nodelay", kind(client.set_nodelay(true).and_then(|()| client.nodelay())));
        see("read timeout", kind(client.read_timeout()));
        see("zero timeout", kind(client.set_read_timeout(Some(Duration::ZERO))));
        see("timeouts", kind(client.set_write_timeout(Some(Duration::from_secs(9))).and_then(|()| client.write_timeout())));
        let clone = client.try_clone()?;
        see("timeout of the clone", kind(clone.write_timeout()));
        drop(clone);

        see("write", kind(client.write(b"abcdef")));
        let mut buffer = [0; 4];
        see("peek", format!("{} {buffer:?}", kind(server.peek(&mut buffer))));
        see("read", format!("{} {:?}", kind(server.read(&mut buffer)), buffer));
        see("rest", format!("{} {:?}", kind(server.read(&mut buffer)), &buffer[..2]));
        see("gather", kind(client.write_vectored(&[IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"two")])));
        let (mut head, mut tail) = ([0; 2], [0; 6]);
        see("scatter", kind(server.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])));
        see("scattered", format!("{head:?} {tail:?}"));
        see("flush", kind(client.flush()));

        see("half-close", kind(client.shutdown(Shutdown::Write)));
        see("end of file", kind(server.read(&mut buffer)));
        see("again", kind(server.read(&mut buffer)));
        see("write after the end", kind(client.write(b"x")));
        see("the other half", kind(server.write(b"late").and_then(|_| client.read(&mut buffer))));
        see("shutdown twice", kind(client.shutdown(Shutdown::Write)));
        drop(server);
        see("end of the other half", kind(client.read(&mut buffer)));
        see("shutdown of both", kind(client.shutdown(Shutdown::Both)));
        see("no peer", kind(client.peer_addr().map(drop)));

        // std's connects before it looks at the time.
        see("no timeout", kind(TcpStream::connect_timeout(&address, Duration::ZERO).map(drop)));
        drop(listener);
        see("refused", kind(TcpStream::connect(address).map(drop)));
        see("refused in time", kind(TcpStream::connect_timeout(&address, Duration::from_secs(9)).map(drop)));
        see("shown", {
            let shown = format!("{client:?}");
            let end = shown.find("fd:").map_or(0, |end| end);
            shown[..end].replace(&client.local_addr()?.to_string(), "HERE")
        });
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
    observations!(std::net)
}

fn of_greenbridge() -> io::Result<Vec<String>> {
    observations!(greenbridge::net)
}

#[test]
fn a_read_ends_at_its_timeout_and_at_its_deadline() {
    child_on_processors("reads_that_end", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn reads_that_end() {
    let check = || {
        let (mut client, mut server) = connected();
        let timed_out =
            |read: io::Result<usize>| assert_eq!(read.expect_err("nothing was sent").kind(), ErrorKind::TimedOut);
        let begin = Instant::now();
        server.set_read_timeout(Some(3 * MILLISECOND)).expect("it is not zero");
        timed_out(server.read(&mut [0]));
        timed_out(server.peek(&mut [0]));
        assert!(begin.elapsed() >= 6 * MILLISECOND, "one of the two ended early");

        // One deadline is for all reads, whatever comes in between; the earlier of the two counts.
        let deadline = Instant::now() + 5 * MILLISECOND;
        server.set_read_timeout(Some(Duration::from_secs(3600))).expect("it is not zero");
        server.set_read_deadline(Some(deadline));
        client.write_all(b"ab").expect("there is room");
        server.read_exact(&mut [0]).expect("it was sent");
        timed_out((&server).read(&mut [0; 0]).and_then(|_| server.read_exact(&mut [0; 2])).map(|()| 0));
        assert!(Instant::now() >= deadline, "it ended early");
        // What need not wait succeeds after it; and what comes later is not lost by a read that ended.
        client.write_all(b"c").expect("there is room");
        server.set_read_deadline(None);
        server.set_read_timeout(None).expect("none is none");
        let mut byte = [0];
        server.read_exact(&mut byte).expect("it was sent");
        server.set_read_deadline(Some(deadline));
        client.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(&byte, b"c");

        // The same where the time is over before the reactor can have heard of anything: each round finds a byte that has just come.
        let (mut writer, mut reader) = connected();
        reader.set_read_deadline(Some(Instant::now() + MILLISECOND));
        timed_out(reader.read(&mut [0]));
        for _ in 0..20 {
            writer.write_all(b"x").expect("there is room");
            assert_eq!(reader.read(&mut [0; 8]).expect("it need not wait"), 1);
            timed_out(reader.read(&mut [0]));
        }

        // Writes have limits of their own.
        let _open;
        (client, _open) = connected_and_full();
        client.set_write_timeout(Some(MILLISECOND)).expect("it is not zero");
        timed_out(client.write(&[0; 1 << 16]));
        client.set_write_timeout(None).expect("none is none");
        client.set_write_deadline(Some(Instant::now()));
        timed_out(client.write(&[0; 1 << 16]));
    };
    check();
    run(check);
}

/// A stream into which nothing more goes, and its peer.
fn connected_and_full() -> (TcpStream, TcpStream) {
    let (client, server) = connected();
    client.set_nonblocking(true).expect("it is a socket");
    let full = loop {
        if let Err(error) = (&client).write(&[0; 1 << 16]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).expect("it is a socket");
    (client, server)
}

#[test]
fn a_cancelled_green_thread_leaves_a_socket_that_works() {
    child_on_processors("cancelled_operations", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn cancelled_operations() {
    run(|| {
        // A read, as a whole green thread and as a scope.
        let (client, server) = connected();
        let (client, server) = (Arc::new(client), Arc::new(server));
        let reads = spawn({
            let server = Arc::clone(&server);
            move || (&*server).read(&mut [0]).map(|_| ())
        });
        yield_now();
        reads.cancel();
        assert!(reads.join().is_err(), "it was not cut short");
        let token = CancelToken::new();
        let scoped = spawn({
            let (server, token) = (Arc::clone(&server), token.clone());
            move || token.run(|| (&*server).read(&mut [0]).map(|_| ())).is_err()
        });
        yield_now();
        token.cancel();
        assert!(scoped.join().expect("caught by the scope"));
        (&*client).write_all(b"x").expect("there is room");
        let mut byte = [0];
        assert_eq!((&*server).read(&mut byte).expect("it was sent"), 1);
        assert_eq!(&byte, b"x");

        // An accept takes no connection with it.
        let (listener, address) = listen();
        let listener = Arc::new(listener);
        let accepts = spawn({
            let listener = Arc::clone(&listener);
            move || listener.accept().map(|_| ())
        });
        yield_now();
        accepts.cancel();
        let _client = TcpStream::connect(address).expect("somebody listens");
        if accepts.join().is_err() {
            listener.accept().expect("the connection is still there");
        }

        // A write, and then what is written arrives in order.
        let (client, server) = connected_and_full();
        let client = Arc::new(client);
        let writes = spawn({
            let client = Arc::clone(&client);
            move || (&*client).write_all(&[1; 1 << 20])
        });
        yield_now();
        writes.cancel();
        assert!(writes.join().is_err(), "it was not cut short");
        let reads = spawn(move || {
            io::BufReader::new(&server).bytes().map(|byte| byte.expect("it was sent")).find(|&byte| byte == 2)
        });
        (&*client).write_all(&[2]).expect("there will be room");
        assert_eq!(reads.join().expect("no panic"), Some(2));
    });
}

#[test]
fn each_connection_goes_to_one_of_those_who_accept() {
    child_on_processors("several_accept", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn several_accept() {
    const CONNECTIONS: usize = 400;
    run(|| {
        let (listener, address) = listen();
        let (listener, accepted) = (Arc::new(listener), Arc::new(AtomicUsize::new(0)));
        for _ in 0..10 {
            let (listener, accepted) = (Arc::clone(&listener), Arc::clone(&accepted));
            spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    accepted.fetch_add(1, Ordering::AcqRel);
                    stream.write_all(b"!").expect("the client waits for it");
                }
            });
        }
        let clients = (0..CONNECTIONS).map(|_| {
            spawn(move || {
                let mut heard = Vec::new();
                TcpStream::connect(address).and_then(|mut stream| stream.read_to_end(&mut heard)).expect("no error");
                assert_eq!(heard, b"!");
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.join().expect("no panic");
        }
        assert_eq!(accepted.load(Ordering::Acquire), CONNECTIONS);
    });
}

#[test]
fn several_readers_share_what_comes_and_lose_nothing() {
    child_on_processors("several_read", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn several_read() {
    const BYTES: usize = 1 << 20;
    run(|| {
        let (mut client, server) = connected();
        let (server, received) = (Arc::new(server), Arc::new(AtomicUsize::new(0)));
        let readers: Vec<_> = (0..8)
            .map(|number| {
                let (server, received) = (Arc::clone(&server), Arc::clone(&received));
                spawn(move || {
                    let mut buffer = vec![0; 1 + number * 100];
                    loop {
                        let length = (&*server).read(&mut buffer).expect("no error");
                        if length == 0 {
                            return;
                        }
                        received.fetch_add(length, Ordering::AcqRel);
                    }
                })
            })
            .collect();
        client.write_all(&vec![7; BYTES]).expect("they read");
        yield_until(&received, BYTES);
        // All of them see the end, whoever was woken for it.
        client.shutdown(Shutdown::Write).expect("it is connected");
        for reader in readers {
            reader.join().expect("no panic");
        }
        assert_eq!(received.load(Ordering::Acquire), BYTES);
    });
}

#[test]
fn urgent_data_hold_up_nothing_that_comes_behind_them() {
    child_on_processors("urgent_data", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn urgent_data() {
    run(|| {
        for pause in [false, true] {
            let (client, mut server) = connected();
            // It waits once, so that it is registered, and then reads more than it needs each time.
            let reads = spawn(move || {
                let (mut received, mut buffer) = (Vec::new(), [0; 64]);
                while !received.ends_with(b"behind") {
                    let length = server.read(&mut buffer).expect("no error");
                    // An urgent byte that another one has overtaken is an ordinary one.
                    received.extend(buffer[..length].iter().filter(|&&byte| byte != b'!'));
                }
                received
            });
            yield_now();
            let sender = socket2::SockRef::from(&client);
            for _ in 0..20 {
                sender.send(b"before").expect("there is room");
                if pause {
                    yield_now();
                }
                sender.send_out_of_band(b"!").expect("there is room");
                sender.send(b"after").expect("there is room");
            }
            sender.send(b"behind").expect("there is room");
            assert_eq!(reads.join().expect("no panic"), [&b"beforeafter".repeat(20)[..], b"behind"].concat());
        }
    });
}

#[test]
fn a_read_into_no_room_returns_at_once() {
    child("reads_of_no_length").succeeds();
}

#[test]
#[ignore = "child process"]
fn reads_of_no_length() {
    run(|| {
        let (mut client, mut server) = connected();
        for _ in 0..2 {
            assert_eq!(server.read(&mut []).expect("it need not wait"), 0);
            assert_eq!(server.peek(&mut []).expect("it need not wait"), 0);
            assert_eq!(server.read_vectored(&mut []).expect("it need not wait"), 0);
            let mut nothing = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
            assert_eq!(server.read_vectored(&mut nothing).expect("it need not wait"), 0);
            assert_eq!(server.write(&[]).expect("it need not wait"), 0);
            client.write_all(b"x").expect("there is room");
        }
        assert_eq!(server.read(&mut [0; 9]).expect("it was sent"), 2);
    });
}

#[test]
fn sockets_go_to_std_and_come_back() {
    child("conversions").succeeds();
}

#[test]
#[ignore = "child process"]
fn conversions() {
    let check = || {
        let (client, server) = connected();
        assert!(is_nonblocking(&client));
        client.set_read_timeout(Some(Duration::from_secs(7))).expect("it is not zero");
        let client = std::net::TcpStream::from(client);
        assert!(!is_nonblocking(&client), "std's operations would fail");
        assert_eq!(client.read_timeout().expect("it is a socket"), Some(Duration::from_secs(7)));
        client.set_write_timeout(Some(Duration::from_secs(8))).expect("it is not zero");
        let mut client = TcpStream::from(client);
        assert!(is_nonblocking(&client));
        let timeouts = [client.read_timeout(), client.write_timeout()].map(|timeout| timeout.expect("it has one"));
        assert_eq!(timeouts, [Some(Duration::from_secs(7)), Some(Duration::from_secs(8))]);

        // SAFETY: the number is this socket's, and goes to nobody else.
        let server = unsafe { TcpStream::from_raw_fd(server.into_raw_fd()) };
        let mut server = TcpStream::from(OwnedFd::from(server));
        client.write_all(b"x").expect("there is room");
        server.read_exact(&mut [0]).expect("it was sent");
        // Who has asked for the other mode gets it.
        server.set_nonblocking(true).expect("it is a socket");
        assert!(is_nonblocking(&std::net::TcpStream::from(server)));
        let (listener, _) = listen();
        assert!(!is_nonblocking(&TcpListener::from(std::net::TcpListener::from(listener)).into_std()));
    };
    check();
    run(check);
}

trait IntoStd {
    fn into_std(self) -> std::net::TcpListener;
}

impl IntoStd for TcpListener {
    fn into_std(self) -> std::net::TcpListener {
        self.into()
    }
}

fn is_nonblocking(socket: &impl AsFd) -> bool {
    // SAFETY: asks for the flags of an open descriptor.
    let flags = unsafe { libc::fcntl(socket.as_fd().as_raw_fd(), libc::F_GETFL) };
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn names_are_looked_up_and_addresses_are_not() {
    child_on_processors("look_ups", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn look_ups() {
    let check = || {
        use greenbridge::net::lookup_host;
        let found =
            |host: &str| lookup_host(host).map(|found| found.map(|address| address.to_string()).collect::<Vec<_>>());
        assert_eq!(found("127.0.0.1:80").expect("it is an address"), ["127.0.0.1:80"]);
        assert_eq!(found("[::1]:80").expect("it is an address"), ["[::1]:80"]);
        assert!(found("localhost:80").expect("every machine has it").iter().all(|address| address.ends_with(":80")));
        assert_eq!(found("localhost").expect_err("there is no port").kind(), ErrorKind::InvalidInput);
        assert_eq!(found("localhost:port").expect_err("that is no port").kind(), ErrorKind::InvalidInput);
        // As std: whatever the system says of a name that cannot be.
        let ours = found("no host:80").expect_err("no such host");
        let theirs = std::net::ToSocketAddrs::to_socket_addrs("no host:80").expect_err("no such host");
        assert_eq!((ours.kind(), ours.to_string()), (theirs.kind(), theirs.to_string()));

        let (listener, address) = listen();
        TcpStream::connect(format!("localhost:{}", address.port())).expect("one of its addresses listens");
        listener.accept().expect("somebody has connected");
    };
    check();
    run(move || {
        check();
        // Many at once, on small stacks: none runs on them.
        let lookers: Vec<_> = (0..50).map(|_| spawn(check)).collect();
        for looker in lookers {
            looker.join().expect("no panic");
        }
    });
}
