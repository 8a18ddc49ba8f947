//! UDP sockets do what std's do; a datagram goes to one of those who wait for it.
//!
//! What could break it: an edge of readiness that is lost between two datagrams, and a difference from std.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use greenbridge::{spawn, yield_now};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{child, child_on_processors, run, sees_what_std_sees};

const LOOPBACK: &str = "127.0.0.1:0";

fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(LOOPBACK).expect("there is a free port");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// The same calls on the type of one module, each with what it comes to.
macro_rules! observations {
    ($udp:path) => {{
        use $udp as UdpSocket;
        let mut seen = Vec::new();
        let mut see = |what: &str, came: String| seen.push(format!("{what}: {came}"));
        fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> String {
            format!("{:?}", result.map_err(|error| (error.kind(), error.raw_os_error())))
        }
        let one = UdpSocket::bind(LOOPBACK)?;
        let other = UdpSocket::bind(("localhost", 0)).or_else(|_| UdpSocket::bind(LOOPBACK))?;
        let (here, there) = (one.local_addr()?, other.local_addr()?);
        see("bind twice", kind(UdpSocket::bind(here).map(drop)));
        see("to nobody", kind(one.send_to(b"x", &[][..])));
        see("no peer", kind(one.peer_addr().map(drop)));
        see("send without a peer", kind(one.send(b"x")));
        see("too long", kind(one.send_to(&[0; 70_000], here)));

        let mut buffer = [0; 4];
        see("sent to itself", kind(one.send_to(b"abcdef", here)));
        let peeked = one.peek_from(&mut buffer).map(|(length, from)| (length, from == here));
        see("peeked", format!("{} {buffer:?}", kind(peeked)));
        let received = one.recv_from(&mut buffer).map(|(length, from)| (length, from == here));
        see("received", format!("{} {buffer:?}", kind(received)));
        see("empty", kind(one.send_to(b"", here)));
        see("empty received", kind(one.recv(&mut buffer)));
        see("lost", kind(one.send_to(b"lost", here).and_then(|_| one.recv(&mut []))));

        if there.is_ipv4() {
            see("connected", kind(one.connect(there).and_then(|()| one.peer_addr().map(|peer| peer == there))));
            see("sent", kind(one.send(b"hello").and_then(|_| other.recv(&mut buffer))));
            see("peeked from the peer", kind(other.send_to(b"x", here).and_then(|_| one.peek(&mut buffer))));
            see("received from the peer", kind(one.recv(&mut buffer)));
        }
        see("broadcast", kind(one.set_broadcast(true).and_then(|()| one.broadcast())));
        see("loop", kind(one.set_multicast_loop_v4(false).and_then(|()| one.multicast_loop_v4())));
        see("hops", kind(one.set_multicast_ttl_v4(9).and_then(|()| one.multicast_ttl_v4())));
        see("loop of the other family", kind(one.multicast_loop_v6()));
        let group = Ipv4Addr::new(224, 0, 0, 123);
        see("join", kind(one.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)));
        see("join again", kind(one.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)));
        see("leave", kind(one.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)));
        see("leave again", kind(one.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)));
        see("join none", kind(one.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::LOCALHOST)));
        see("join of the other family", kind(one.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0)));
        see("leave of the other family", kind(one.leave_multicast_v6(&Ipv6Addr::LOCALHOST, 0)));
        see("ttl", kind(one.set_ttl(7).and_then(|()| one.ttl())));
        see("zero timeout", kind(one.set_read_timeout(Some(Duration::ZERO))));
        see("timeout", kind(one.set_read_timeout(Some(Duration::from_secs(2))).and_then(|()| one.read_timeout())));
        see("pending error", kind(one.take_error().map(|error| error.is_none())));

        let gone = UdpSocket::bind(LOOPBACK)?.local_addr()?;
        let caller = UdpSocket::bind(LOOPBACK)?;
        see("to who is gone", kind(caller.connect(gone).and_then(|()| caller.send(b"x"))));
        see("refused", kind(caller.recv(&mut buffer)));
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
    observations!(std::net::UdpSocket)
}

fn of_greenbridge() -> io::Result<Vec<String>> {
    observations!(greenbridge::net::UdpSocket)
}

#[test]
fn each_question_gets_its_answer() {
    child_on_processors("questions_and_answers", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn questions_and_answers() {
    const CLIENTS: u32 = 50;
    run(|| {
        let (server, address) = bound();
        let server = Arc::new(server);
        // Several wait for the questions, on one socket.
        for _ in 0..4 {
            let server = Arc::clone(&server);
            spawn(move || {
                let mut question = [0; 8];
                loop {
                    let (length, client) = server.recv_from(&mut question).expect("no error");
                    question[..length].reverse();
                    server.send_to(&question[..length], client).expect("there is room");
                }
            });
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                spawn(move || {
                    let (client, _) = bound();
                    client.connect(address).expect("it is an address");
                    let mut answer = [0; 8];
                    for round in 0..100_u32 {
                        let question = (number << 16 | round).to_be_bytes();
                        client.send(&question).expect("there is room");
                        assert_eq!(client.recv(&mut answer).expect("it answers"), 4);
                        assert_eq!(answer[..4], (number << 16 | round).to_le_bytes());
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().expect("no panic");
        }
    });
}

#[test]
fn a_datagram_outlives_a_receive_that_is_cut_short() {
    child_on_processors("receives_cut_short", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn receives_cut_short() {
    run(|| {
        let (socket, address) = bound();
        let socket = Arc::new(socket);
        let begin = Instant::now();
        socket.set_read_timeout(Some(Duration::from_millis(2))).expect("it is not zero");
        let timed_out = socket.recv_from(&mut [0]).expect_err("nothing was sent");
        assert_eq!(timed_out.kind(), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= Duration::from_millis(2), "it ended early");
        socket.set_read_timeout(None).expect("none is none");

        // At every point of the race between a datagram and a cancellation.
        let received = Arc::new(AtomicUsize::new(0));
        for number in 0..500_u32 {
            let token = CancelToken::new();
            let receives = spawn({
                let (socket, token, received) = (Arc::clone(&socket), token.clone(), Arc::clone(&received));
                move || {
                    let mut bytes = [0; 4];
                    let length = token.run(|| socket.recv(&mut bytes).expect("no error"));
                    received.fetch_add(usize::from(length.is_ok()), Ordering::AcqRel);
                    length.is_ok().then(|| u32::from_be_bytes(bytes))
                }
            });
            let cancels = spawn(move || token.cancel());
            if number % 2 == 0 {
                yield_now();
            }
            socket.send_to(&number.to_be_bytes(), address).expect("there is room");
            cancels.join().expect("no panic");
            let number_received = receives.join().expect("caught by the scope").unwrap_or_else(|| {
                let mut bytes = [0; 4];
                socket.recv(&mut bytes).expect("it is still there");
                u32::from_be_bytes(bytes)
            });
            assert_eq!(number_received, number);
        }
        assert!(received.load(Ordering::Acquire) <= 500);
    });
}
