//! A file that is waited for is waited for wherever the caller is, and no event is lost.
//!
//! What could break it: an edge that comes between a try and the wait, a keeper that sleeps beside the poller, a registration that outlives
//! its file, or one waiter that takes the wake-up of another.

mod support;

use greenbridge::net::Async;
use greenbridge::spawn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use support::{child_on_processors, run};

#[test]
fn what_is_sent_comes_back() {
    child_on_processors("echo", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn echo() {
    const CONNECTIONS: usize = 64;
    const ROUNDS: usize = 200;
    run(|| {
        let listener = Async::new(TcpListener::bind("127.0.0.1:0").expect("a listener")).expect("non-blocking");
        let address = listener.get_ref().local_addr().expect("an address");
        let server = spawn(move || {
            let serve = |stream: TcpStream| {
                let mut stream = Async::new(stream).expect("non-blocking");
                let mut buffer = [0; 64];
                while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
            };
            let accept = || listener.read_with(TcpListener::accept).expect("a connection").0;
            let serving: Vec<_> =
                (0..CONNECTIONS).map(|_| accept()).map(|stream| spawn(move || serve(stream))).collect();
            serving.into_iter().for_each(|thread| thread.join().expect("no panic"));
        });
        let client = move |number: usize| {
            let mut stream = Async::new(TcpStream::connect(address).expect("connected")).expect("non-blocking");
            for round in 0..ROUNDS {
                let sent = [(number + round) as u8; 64];
                let mut received = [0; 64];
                stream.write_all(&sent).expect("sent");
                stream.read_exact(&mut received).expect("received");
                assert_eq!(sent, received);
            }
        };
        let clients: Vec<_> = (0..CONNECTIONS).map(|number| spawn(move || client(number))).collect();
        clients.into_iter().for_each(|thread| thread.join().expect("no panic"));
        server.join().expect("no panic");
    });
}
