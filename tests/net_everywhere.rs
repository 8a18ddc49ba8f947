//! A socket works wherever it is used: on a green thread, in a callback from C, on an OS thread; before the runtime starts, and after that.
//!
//! What could break it: a wait that holds up whoever it waits for, and a socket that was registered, or used, in another place before.

mod support;

use greenbridge::net::{SocketAddr, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use greenbridge::{Start, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use support::{Callback, Place, Way, child, child_on_processors, for_c, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn net_everywhere_sum(next_byte: Callback<c_long>, context: *mut c_void) -> c_long;
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

#[test]
fn every_place_talks_to_every_other() {
    child_on_processors("places", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn places() {
    // Without the runtime, on OS threads only.
    let (listener, address) = listen();
    let server = thread::spawn(move || serve(&listener, 1));
    talk(address);
    server.join().expect("no panic");

    start();
    for server_place in Place::ALL {
        for client_place in Place::ALL {
            let (listener, address) = listen();
            let server = server_place.spawn(move || serve(&listener, 2));
            let clients = [0; 2].map(|_| client_place.spawn(move || talk(address)));
            clients.into_iter().for_each(|client| client.join());
            server.join();
        }
    }
}

/// Echoes so many connections, one after the other.
fn serve(listener: &TcpListener, connections: usize) {
    for stream in listener.incoming().take(connections) {
        let stream = stream.expect("descriptors are left");
        io::copy(&mut &stream, &mut &stream).expect("the client ends it in order");
    }
}

/// Is echoed, and waits for everything that a socket can wait for.
fn talk(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    for round in 0..20_u8 {
        stream.write_all(&[round; 1000]).expect("it is read");
        let mut echoed = [0; 1000];
        stream.read_exact(&mut echoed).expect("it is written");
        assert_eq!(echoed, [round; 1000]);
    }
    let begin = Instant::now();
    stream.set_read_deadline(Some(begin + Duration::from_millis(1)));
    assert_eq!(stream.read(&mut [0]).expect_err("nothing was sent").kind(), ErrorKind::TimedOut);
    assert!(begin.elapsed() >= Duration::from_millis(1), "it ended early");

    let udp = UdpSocket::bind("127.0.0.1:0").expect("there is a free port");
    udp.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
    assert_eq!(udp.recv(&mut [0]).expect_err("nothing was sent").kind(), ErrorKind::TimedOut);
    udp.send_to(b"x", udp.local_addr().expect("it is bound")).expect("there is room");
    assert_eq!(udp.recv(&mut [0]).expect("it was sent"), 1);
    let (one, other) = UnixDatagram::pair().expect("descriptors are left");
    one.send(b"xyz").expect("there is room");
    assert_eq!(other.recv(&mut [0; 8]).expect("it was sent"), 3);
}

#[test]
fn a_callback_reads_whichever_way_c_was_called() {
    child_on_processors("callbacks_that_read", &[1, 2]);
}

/// A stream that several callbacks read, and what went wrong.
struct Input {
    stream: UnixStream,
    error: Mutex<Option<ErrorKind>>,
}

#[greenbridge::export(fallback = -3)]
extern "C" fn next_byte(input: &Input, _: c_long) -> c_long {
    let mut byte = [0];
    match (&input.stream).read(&mut byte) {
        Ok(0) => -1,
        Ok(_) => byte[0].into(),
        Err(error) => {
            *input.error.lock().expect("nobody panics with it") = Some(error.kind());
            -2
        }
    }
}

fn sum(way: Option<Way>, input: &Input) -> c_long {
    let enter = || {
        let (f, context) = for_c(next_byte, input);
        // SAFETY: C hands the pointer on to `f` and returns after it, while the input is borrowed.
        unsafe { net_everywhere_sum(f, context) }
    };
    match way {
        Some(way) => way.call(enter),
        None => enter(),
    }
}

fn input() -> (UnixStream, Input) {
    let (writer, stream) = UnixStream::pair().expect("descriptors are left");
    (writer, Input { stream, error: Mutex::new(None) })
}

#[test]
#[ignore = "child process"]
fn callbacks_that_read() {
    run(|| {
        let parsers: Vec<_> = Way::ALL
            .into_iter()
            .cycle()
            .take(40)
            .map(|way| {
                let (mut writer, input) = input();
                let parses = spawn(move || sum(Some(way), &input));
                let writes = spawn(move || {
                    for byte in 0..100 {
                        writer.write_all(&[byte]).expect("it is read");
                        yield_now();
                    }
                });
                (parses, writes)
            })
            .collect();
        for (parses, writes) in parsers {
            writes.join().expect("no panic");
            assert_eq!(parses.join().expect("no panic"), (0..100).sum::<c_long>());
        }
        // A timeout is C's business, too.
        let (_writer, input) = input();
        input.stream.set_read_timeout(Some(Duration::from_millis(1))).expect("it is not zero");
        assert_eq!(sum(Some(Way::Call), &input), -1);
        assert_eq!(*input.error.lock().expect("nobody panics with it"), Some(ErrorKind::TimedOut));
    });
}

#[test]
fn a_callback_under_a_bare_call_reads_what_is_there() {
    child("bare_reads").succeeds().says("wrap the C call in `greenbridge::call(|| ...)`");
}

#[test]
#[ignore = "child process"]
fn bare_reads() {
    start();
    // On an OS thread nothing is bare.
    let (mut writer, input_on_thread) = input();
    let writes = thread::spawn(move || writer.write_all(&[20, 22]).map(|()| drop(writer)));
    assert_eq!(sum(None, &input_on_thread), 42);
    writes.join().expect("no panic").expect("there is room");
    greenbridge::run(|| {
        let (mut writer, input) = input();
        writer.write_all(&[20, 22]).expect("there is room");
        assert_eq!(sum(None, &input), -1, "the third byte is the fallback of a callback that would have to wait");
        // Nothing is left behind: the next read waits as ever.
        let reads = spawn(move || sum(Some(Way::Call), &input));
        writer.write_all(&[20, 22]).expect("there is room");
        drop(writer);
        assert_eq!(reads.join().expect("no panic"), 42);
    });
}

#[test]
fn sockets_go_from_place_to_place_and_from_before_the_start_to_after_it() {
    child_on_processors("moved_sockets", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn moved_sockets() {
    // Used without the runtime, by waits of the OS thread.
    let (listener, address) = listen();
    let client = TcpStream::connect(address).expect("somebody listens");
    let server = listener.accept().expect("somebody has connected").0;
    let waits = thread::spawn(move || (&server).read_exact(&mut [0]).map(|()| server));
    (&client).write_all(b"x").expect("there is room");
    let server = waits.join().expect("no panic").expect("it was sent");

    // A wait that began before the start ends after it.
    let (client, server) = (Arc::new(client), Arc::new(server));
    let waits = thread::spawn({
        let server = Arc::clone(&server);
        move || (&*server).read_exact(&mut [0])
    });
    start();
    (&*client).write_all(b"x").expect("there is room");
    waits.join().expect("no panic").expect("it was sent");

    // Each turn in another place, with a wait in each.
    let turns = Place::ALL.into_iter().cycle().take(60);
    for (number, place) in turns.enumerate() {
        let (reader, writer) = if number % 2 == 0 { (&server, &client) } else { (&client, &server) };
        let (reader, writer) = (Arc::clone(reader), Arc::clone(writer));
        let reads = place.spawn(move || {
            let mut byte = [0];
            (&*reader).read_exact(&mut byte).map(|()| byte)
        });
        let byte = [u8::try_from(number).expect("it is small")];
        Place::ALL[number % 3].spawn(move || (&*writer).write_all(&byte)).join().expect("there is room");
        assert_eq!(reads.join().expect("it was sent"), byte);
    }
}
