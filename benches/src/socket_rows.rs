//! What does a socket cost?
//!
//! | row | one operation |
//! |---|---|
//! | `echo` | a round trip of 64 bytes over TCP on loopback; 64 connections, both ends green threads of this process |
//!
//! Its figure is round trips per second. `TCP_NODELAY` is set on both ends. Most of the time is the kernel's: two writes and two
//! reads. The floor is 128 OS threads over std's sockets; the peers are Go, may and tokio, with the same number of their own threads on
//! each end.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- echo`

use crate::command::Settings;
use crate::measure::put;
use greenbridge::net::{TcpListener, TcpStream};
use greenbridge::{JoinHandle, spawn};
use std::io::{self, Read, Write};
use std::time::Instant;

/// How many connections.
const CONNECTIONS: usize = 64;
/// The length of a message.
const LENGTH: usize = 64;

pub(crate) fn echo(settings: Settings) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let server = spawn(move || {
        let accept = |_| spawn_echo(listener.accept().expect("the clients connect").0);
        (0..CONNECTIONS).map(accept).collect::<Vec<_>>()
    });
    let mut connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let connection = TcpStream::connect(address).expect("it listens");
            connection.set_nodelay(true).expect("a socket");
            connection
        })
        .collect();
    let each = settings.scaled(1500);
    let mut rate = 0.0;
    // The first is to warm up.
    for each in [each / 10 + 1, each] {
        let start = Instant::now();
        let clients: Vec<_> = connections.into_iter().map(|connection| spawn_client(connection, each)).collect();
        connections = clients.into_iter().map(|client| client.join().expect("no panic in a row")).collect();
        rate = (CONNECTIONS * each) as f64 / start.elapsed().as_secs_f64();
    }
    put("echo", rate, "msg/s");
    // Those that echo end with the connections.
    drop(connections);
    for echo in server.join().expect("no panic in a row") {
        echo.join().expect("no panic in a row").expect_err("an end of file");
    }
}

fn spawn_echo(mut connection: TcpStream) -> JoinHandle<io::Result<()>> {
    spawn(move || {
        connection.set_nodelay(true)?;
        let mut message = [0; LENGTH];
        loop {
            connection.read_exact(&mut message)?;
            connection.write_all(&message)?;
        }
    })
}

/// Plays `each` round trips, and returns the connection.
fn spawn_client(mut connection: TcpStream, each: usize) -> JoinHandle<TcpStream> {
    spawn(move || {
        for n in 0..each {
            let sent = [n as u8; LENGTH];
            connection.write_all(&sent).expect("the echo reads");
            let mut received = [!sent[0]; LENGTH];
            connection.read_exact(&mut received).expect("the echo writes");
            assert_eq!(received, sent);
        }
        connection
    })
}
