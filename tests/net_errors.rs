//! What goes wrong with a socket comes as an error to whoever uses it, and to nobody else.
//!
//! What could break it: a peer that resets and leaves somebody waiting, a signal for a broken pipe, descriptors that run out, signals that
//! interrupt a wait, and a descriptor that somebody else has put into blocking mode.

mod support;

use greenbridge::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use greenbridge::{spawn, time, yield_now};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{child, child_on_processors, run, start, yield_until};

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn connected() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let client = TcpStream::connect(address).expect("somebody listens");
    (client, listener.accept().expect("somebody has connected").0)
}

/// Ends the connection as a process that is killed does, with data unread.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).expect("it is a socket");
}

#[test]
fn a_reset_ends_every_wait_at_the_other_end() {
    child_on_processors("resets", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn resets() {
    run(|| {
        // One that reads, and two that write more than goes.
        let (client, server) = connected();
        let server = Arc::new(server);
        let begun = Arc::new(AtomicUsize::new(0));
        let reads = spawn({
            let (server, begun) = (Arc::clone(&server), Arc::clone(&begun));
            move || {
                begun.fetch_add(1, Ordering::AcqRel);
                (&*server).read(&mut [0])
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let (server, begun) = (Arc::clone(&server), Arc::clone(&begun));
                spawn(move || {
                    begun.fetch_add(1, Ordering::AcqRel);
                    (&*server).write_all(&vec![0; 16 << 20])
                })
            })
            .collect();
        yield_until(&begun, 3);
        for _ in 0..100 {
            yield_now();
        }
        reset(client);
        // The error is told once; whoever comes after it sees the end of the connection.
        let read = reads.join().expect("no panic").map_err(|error| error.kind());
        assert!(matches!(read, Ok(0) | Err(ErrorKind::ConnectionReset)), "{read:?}");
        for writer in writers {
            let kind = writer.join().expect("no panic").expect_err("nobody reads it").kind();
            assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
        }
        assert_eq!((&*server).read(&mut [0]).expect("the error was told"), 0);
        assert_eq!((&*server).write(b"x").expect_err("it is over").kind(), ErrorKind::BrokenPipe);

        // A reset that waits is found by the first read, and what came before it is lost, as the system has it.
        let (client, mut server) = connected();
        reset(client);
        assert_eq!(server.read(&mut [0]).expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_connection_that_is_gone_is_an_error_and_no_signal() {
    child("broken_pipes").succeeds();
}

#[test]
#[ignore = "child process"]
fn broken_pipes() {
    // As in a program whose `main` is C's: std switches the signal off only in Rust's.
    // SAFETY: sets the signal to what the system does by default.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let check = || {
        let (client, mut server) = connected();
        drop(client);
        let (mut stream, gone) = UnixStream::pair().expect("descriptors are left");
        drop(gone);
        let broken =
            |written: io::Result<usize>| assert_eq!(written.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
        // The first bytes to a peer that is gone bring the reset.
        while server.write(b"x").is_ok() {
            time::sleep(Duration::from_micros(100));
        }
        broken(server.write(b"x"));
        broken(server.write_vectored(&[IoSlice::new(b"x"), IoSlice::new(b"y")]));
        broken(stream.write(b"x"));
        broken(stream.write_vectored(&[IoSlice::new(b"x"), IoSlice::new(b"y")]));
        let (_, mut half) = stream.into_split();
        broken(half.write(b"x"));
        broken(half.write_vectored(&[IoSlice::new(b"x")]));
        let (one, other) = UnixDatagram::pair().expect("descriptors are left");
        one.shutdown(Shutdown::Write).expect("it is connected");
        broken(one.send(b"x"));
        drop(other);
    };
    check();
    run(check);
}

#[test]
fn a_server_without_descriptors_loses_no_connection() {
    child_on_processors("no_descriptors_left", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn no_descriptors_left() {
    const CLIENTS: usize = 20;
    run(|| {
        let (listener, address) = listen();
        let heard = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let heard = Arc::clone(&heard);
                spawn(move || {
                    let mut text = String::new();
                    TcpStream::connect(address)?.read_to_string(&mut text)?;
                    heard.fetch_add(usize::from(text == "hello"), Ordering::AcqRel);
                    Ok::<_, io::Error>(())
                })
            })
            .collect();
        // The reactor has its descriptors once somebody has waited; then no more than these.
        let mut first = listener.accept().expect("descriptors are left").0;
        wait_for_all_clients(&listener, CLIENTS - 1);
        let limit = set_soft_limit(0);
        for _ in 0..3 {
            let error = listener.accept().expect_err("no descriptor is left");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        }
        // The loop of docs/sockets.md: it goes on after a pause.
        let (given, pauses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        spawn({
            let (given, pauses) = (Arc::clone(&given), Arc::clone(&pauses));
            move || loop {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        stream.write_all(b"hello").expect("there is room");
                        given.fetch_add(1, Ordering::AcqRel);
                    }
                    Err(_) => {
                        pauses.fetch_add(1, Ordering::AcqRel);
                        time::sleep(Duration::from_millis(1));
                    }
                }
            }
        });
        while pauses.load(Ordering::Acquire) < 5 {
            time::sleep(Duration::from_millis(1));
        }
        assert_eq!(given.load(Ordering::Acquire), 0);
        set_soft_limit(limit);
        first.write_all(b"hello").expect("there is room");
        drop(first);
        for client in clients {
            client.join().expect("no panic").expect("it was accepted");
        }
        assert_eq!((heard.load(Ordering::Acquire), given.load(Ordering::Acquire)), (CLIENTS, CLIENTS - 1));
    });
}

/// Until so many connections wait to be accepted: the listener's queue, as the system shows it.
fn wait_for_all_clients(listener: &TcpListener, count: usize) {
    let port = listener.local_addr().expect("it is bound").port();
    let waiting = || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc is there");
        let listening =
            table.lines().find(|line| line.contains(&format!(":{port:04X} 00000000:0000 0A"))).map(str::to_owned);
        let queues = listening.and_then(|line| line.split_whitespace().nth(4).map(str::to_owned)).expect("it listens");
        usize::from_str_radix(queues.split(':').nth(1).expect("there are two queues"), 16).expect("it is a number")
    };
    while waiting() < count {
        time::sleep(Duration::from_millis(1));
    }
}

/// Sets how many descriptors the process may have, and returns how many it might.
fn set_soft_limit(count: libc::rlim_t) -> libc::rlim_t {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to where it is told.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    let old = std::mem::replace(&mut limit.rlim_cur, count);
    // SAFETY: reads what it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    old
}

#[test]
fn a_connect_that_nobody_answers_ends_at_its_timeout() {
    child_on_processors("unanswered_connects", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn unanswered_connects() {
    // It has room for one that waits, and answers no other.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("descriptors are left");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("there is a free port");
    socket.listen(0).expect("it is bound");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is of the internet");
    let _waits = TcpStream::connect(address).expect("there is room for one");
    let check = move || {
        let (begin, timeout) = (Instant::now(), Duration::from_millis(5));
        let error = TcpStream::connect_timeout(&address, timeout).expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= timeout, "it ended early");
    };
    check();
    start();
    check();
    greenbridge::run(move || {
        check();
        let connects = spawn(move || TcpStream::connect(address).map(|_| ()));
        yield_now();
        connects.cancel();
        assert!(connects.join().is_err(), "it was not cut short");
    });
}

#[test]
fn signals_interrupt_no_operation() {
    child_on_processors("interrupted_operations", &[1, 2]);
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

#[test]
#[ignore = "child process"]
fn interrupted_operations() {
    // SAFETY: all bytes zero is a valid value of this structure: no flags, so system calls are interrupted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count_signal as *const () as usize;
    // SAFETY: the handler counts, which it may at any time.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) }, 0);
    let over = Arc::new(AtomicBool::new(false));
    let storm = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(Ordering::Acquire) {
                for entry in std::fs::read_dir("/proc/self/task").expect("/proc is there").flatten() {
                    let thread: i32 = entry.file_name().to_string_lossy().parse().expect("it is a number");
                    // SAFETY: a signal with a handler, to a thread of this process, which may be gone.
                    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) };
                }
            }
        }
    });
    let talk = || {
        let (mut client, mut server) = connected();
        let (udp, other) =
            (UdpSocket::bind("127.0.0.1:0").expect("a port"), UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let address = other.local_addr().expect("it is bound");
        let echo = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            for _ in 0..300 {
                server.read_exact(&mut buffer).expect("it was sent");
                other.recv(&mut buffer[..1]).expect("it was sent");
                server.write_all(&buffer).expect("there is room");
            }
        });
        for _ in 0..300 {
            client.write_all(&[1; 64]).expect("there is room");
            udp.send_to(b"x", address).expect("there is room");
            client.read_exact(&mut [0; 64]).expect("it was sent");
        }
        echo.join().expect("no panic");
    };
    talk();
    start();
    greenbridge::run(talk);
    let accepts = greenbridge::spawn(|| {
        let (listener, address) = listen();
        let accepts = spawn(move || (0..200).for_each(|_| drop(listener.accept().expect("somebody connects"))));
        (0..200).for_each(|_| drop(TcpStream::connect(address).expect("somebody listens")));
        accepts.join().expect("no panic");
    });
    accepts.join().expect("no panic");
    over.store(true, Ordering::Release);
    storm.join().expect("no panic");
    assert!(SIGNALS.load(Ordering::Relaxed) > 100, "there was no storm");
}

#[test]
fn whoever_changes_the_mode_of_a_descriptor_blocks_nobody() {
    // On one processor, with nobody else to hand it on: if a read blocked the OS thread, the writer would never run.
    child_on_processors("blocking_mode", &[1]);
}

#[test]
#[ignore = "child process"]
fn blocking_mode() {
    run(|| {
        let (client, mut server) = connected();
        let theirs = std::net::TcpStream::from(server.as_fd().try_clone_to_owned().expect("descriptors are left"));
        theirs.set_nonblocking(false).expect("it is a socket");
        let writes = spawn(move || (&client).write_all(b"x").map(|()| client));
        server.read_exact(&mut [0]).expect("it was sent");
        let client = writes.join().expect("no panic").expect("there is room");
        let reads = spawn(move || (&client).take(8 << 20).read_to_end(&mut Vec::new()).map(|length| (length, client)));
        server.write_all(&vec![1; 8 << 20]).expect("it is read");
        let (length, _client) = reads.join().expect("no panic").expect("it was sent");
        assert_eq!(length, 8 << 20);
        server.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        let read = server.read_vectored(&mut [IoSliceMut::new(&mut [0])]);
        assert_eq!(read.expect_err("nothing was sent").kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn nothing_waits_where_the_user_wants_it_so() {
    child("nonblocking_mode").succeeds();
}

#[test]
#[ignore = "child process"]
fn nonblocking_mode() {
    let check = || {
        let would_block =
            |result: io::Result<()>| assert_eq!(result.expect_err("it must wait").kind(), ErrorKind::WouldBlock);
        let (listener, _) = listen();
        listener.set_nonblocking(true).expect("it is a socket");
        would_block(listener.accept().map(drop));
        let (mut client, mut server) = connected();
        let clone = server.try_clone().expect("descriptors are left");
        server.set_nonblocking(true).expect("it is a socket");
        would_block(server.read(&mut [0]).map(drop));
        would_block((&clone).read_vectored(&mut [IoSliceMut::new(&mut [0])]).map(drop));
        would_block(server.peek(&mut [0]).map(drop));
        would_block(server.write_all(&vec![0; 64 << 20]));
        client.read_exact(&mut [0; 1 << 16]).expect("it was sent");
        clone.set_nonblocking(false).expect("it is a socket");
        client.write_all(b"x").expect("there is room");
        server.read_exact(&mut [0]).expect("it waits");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("there is a free port");
        udp.set_nonblocking(true).expect("it is a socket");
        would_block(udp.recv_from(&mut [0]).map(drop));
    };
    check();
    run(check);
}

#[test]
fn what_is_no_socket_says_so() {
    child("not_a_socket").succeeds();
}

#[test]
#[ignore = "child process"]
fn not_a_socket() {
    let check = || {
        let file = || OwnedFd::from(File::open("/dev/null").expect("it is there"));
        let no_socket =
            |result: io::Result<()>| assert_eq!(result.expect_err("it is a file").raw_os_error(), Some(libc::ENOTSOCK));
        let mut stream = TcpStream::from(file());
        assert!(stream.as_raw_fd() >= 0);
        no_socket(stream.read(&mut [0]).map(drop));
        no_socket(stream.write(&[0]).map(drop));
        no_socket(stream.peer_addr().map(drop));
        no_socket(stream.shutdown(Shutdown::Both));
        no_socket(TcpListener::from(file()).accept().map(drop));
        no_socket(UdpSocket::from(file()).recv(&mut [0]).map(drop));
        no_socket(UnixStream::from(file()).read(&mut [0]).map(drop));
        // One of another kind is told apart by its addresses only.
        let (one, _other) = UnixStream::pair().expect("descriptors are left");
        assert!(TcpStream::from(OwnedFd::from(one)).peer_addr().is_err());
    };
    check();
    run(check);
}
