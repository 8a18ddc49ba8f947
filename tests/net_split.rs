//! The halves of a stream go to two green threads that use them at the same time, and the end of one is the end of its direction.
//!
//! What could break it: a wake-up for one direction that goes to the other, and a descriptor that is closed while a half is left.

mod support;

use greenbridge::net::{OwnedReadHalf, OwnedWriteHalf, ReuniteError, Stream, TcpListener, TcpStream, UnixStream};
use greenbridge::{scope, spawn, yield_now};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;
use support::{Random, child, child_on_processors, run};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("somebody listens");
    (client, listener.accept().expect("somebody has connected").0)
}

fn unix_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("descriptors are left")
}

#[test]
fn both_directions_flow_at_the_same_time() {
    child_on_processors("full_duplex", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn full_duplex() {
    run(|| {
        let (mut client, mut server) = tcp_pair();
        let (client_halves, server_halves) = (client.split(), server.split());
        scope(|s| {
            s.spawn(move || flow(client_halves.0, server_halves.1, |writer| writer.shutdown().expect("it is open")));
            flow(server_halves.0, client_halves.1, |writer| writer.shutdown().expect("it is open"));
        });
        let streams: Vec<_> = (0..10)
            .map(|_| {
                let ((client, server), (one, other)) = (tcp_pair(), unix_pair());
                spawn(move || {
                    let ((a, b), (c, d)) = (client.into_split(), server.into_split());
                    let there = spawn(move || flow(a, d, |_| ()));
                    flow(c, b, |_| ());
                    there.join().expect("no panic");
                    let ((a, b), (c, d)) = (one.into_split(), other.into_split());
                    let there = spawn(move || flow(a, d, |_| ()));
                    flow(c, b, |_| ());
                    there.join().expect("no panic");
                })
            })
            .collect();
        for stream in streams {
            stream.join().expect("no panic");
        }
    });
}

/// Lets half a megabyte flow from `writer` to `reader`, one green thread at each end.
fn flow<R: Read + Send, W: Write + Send>(mut reader: R, mut writer: W, end: impl FnOnce(&mut W) + Send) {
    scope(|s| {
        s.spawn(move || {
            let mut random = Random::new(1);
            for _ in 0..50 {
                let bytes: Vec<u8> = (0..10_000).map(|_| random.below(256) as u8).collect();
                writer.write_all(&bytes).expect("the other end reads");
            }
            end(&mut writer);
        });
        let (mut random, mut length, mut buffer) = (Random::new(1), 0, vec![0; 7777]);
        while length < 500_000 {
            let read = reader.read(&mut buffer).expect("the other end writes");
            assert!(read > 0, "it ended early");
            assert!(buffer[..read].iter().all(|&byte| u64::from(byte) == random.below(256)), "other bytes came");
            length += read;
        }
    });
}

#[test]
fn the_end_of_the_writing_half_is_the_end_of_the_file() {
    child_on_processors("halves_that_end", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn halves_that_end() {
    run(|| {
        ends_with_its_half(tcp_pair());
        ends_with_its_half(unix_pair());
    });
}

fn ends_with_its_half<S>((stream, mut peer): (S, S))
where
    S: Stream + Read + Write + Send + Sync + AsRawFd + Split + 'static,
{
    // The writer goes while the reader waits in another green thread: the peer sees the end, and the reader goes on.
    let number = stream.as_raw_fd();
    let (mut reader, mut writer) = stream.into_halves();
    assert_eq!((reader.as_ref().as_raw_fd(), writer.as_ref().as_raw_fd()), (number, number));
    let reads = spawn(move || {
        let mut heard = String::new();
        reader.read_to_string(&mut heard).map(|_| (heard, reader))
    });
    yield_now();
    let written = writer.write_vectored(&[IoSlice::new(b"last "), IoSlice::new(b"words")]);
    assert_eq!(written.expect("there is room"), 10);
    drop(writer);
    let mut heard = String::new();
    peer.read_to_string(&mut heard).expect("no error");
    assert_eq!(heard, "last words");
    peer.write_all(b"I heard").expect("the reader is there");
    drop(peer);
    let (heard, mut reader) = reads.join().expect("no panic").expect("no error");
    assert_eq!(heard, "I heard");
    assert_eq!(reader.read_vectored(&mut [IoSliceMut::new(&mut [0; 4])]).expect("the end stays"), 0);
}

/// `into_split` of any stream.
trait Split: Stream + Sized {
    fn into_halves(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>);
}

impl Split for TcpStream {
    fn into_halves(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        self.into_split()
    }
}

impl Split for UnixStream {
    fn into_halves(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        self.into_split()
    }
}

#[test]
fn two_halves_make_the_stream_again() {
    child("halves_reunited").succeeds();
}

#[test]
#[ignore = "child process"]
fn halves_reunited() {
    let check = || {
        let ((client, mut server), (other, _other_peer)) = (tcp_pair(), tcp_pair());
        let ((reader, writer), (other_reader, other_writer)) = (client.into_split(), other.into_split());
        let error = reader.reunite(other_writer).expect_err("they are of two streams");
        assert_eq!(error.to_string(), "the two halves are not of the same stream");
        let ReuniteError(reader, other_writer) = error;
        let mut whole = writer.reunite(reader).expect("they are of one stream");
        other_reader.reunite(other_writer).expect("they are of one stream");
        // Nothing has ended.
        whole.write_all(b"x").expect("there is room");
        server.read_exact(&mut [0]).expect("it was sent");

        // Nor has it where the writing half is forgotten.
        let (mut reader, writer) = whole.into_split();
        writer.forget();
        server.set_nonblocking(true).expect("it is a socket");
        assert_eq!(server.read(&mut [0]).expect_err("it is open").kind(), ErrorKind::WouldBlock);
        server.write_all(b"y").expect("there is room");
        reader.read_exact(&mut [0]).expect("it was sent");
        // The descriptor is closed with the last half.
        drop(reader);
        server.set_nonblocking(false).expect("it is a socket");
        assert_eq!(server.read(&mut [0]).expect("no error"), 0);
    };
    check();
    run(check);
}
