//! The example `http_server` answers every request that it can read, in order, refuses the others with the right status, gives nobody more time than
//! it says, and loses nothing when it is told to end.
//!
//! What could break it: a request that lies across two reads, or two in one; a body that is taken for the next request; a client that sends a byte
//! now and then, or never reads; a signal between the arrival of a request and its answer.

mod support;

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str;
use std::thread;
use std::time::Duration;
use support::Process;

/// A hang is a failure.
const DEADLINE: Duration = Duration::from_secs(60);

fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example: PathBuf = profile.join("examples/http_server");
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    example
}

/// A server that runs.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(example())
            .args(["--address", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on http://").expect(&line).parse().expect(&line);
        Self { child, stdout, address }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        Client(BufReader::new(stream))
    }

    fn signal(&self) {
        // SAFETY: a plain system call; the child has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) }, 0);
    }

    /// Waits for its end after a signal, and returns its last line.
    fn end(mut self) -> String {
        let mut line = String::new();
        self.stdout.read_to_string(&mut line).expect("it says what it has done");
        assert!(self.child.wait().expect("it ends").success(), "{line}");
        line.trim().to_owned()
    }

    fn drain(self) -> String {
        self.signal();
        self.end()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing happens to one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection.
struct Client(BufReader<TcpStream>);

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: Vec<u8>,
    closes: bool,
}

impl Answer {
    fn of(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self { status, body: body.as_ref().to_vec(), closes: false }
    }

    fn and_closes(mut self) -> Self {
        self.closes = true;
        self
    }
}

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server answers");
        line.strip_suffix("\r\n").expect(&line).to_owned()
    }

    fn head(&mut self) -> (u16, usize, bool) {
        let status = self.line().strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok()).expect("a status");
        let (mut length, mut closes) = (0, false);
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect(value),
                Some(("Connection", value)) => closes = value == "close",
                Some(_) => {}
                None => break assert_eq!(line, ""),
            }
        }
        (status, length, closes)
    }

    fn answer(&mut self) -> Answer {
        let (status, length, closes) = self.head();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the whole body");
        Answer { status, body, closes }
    }

    /// The server has closed, and has sent nothing more.
    fn is_closed(&mut self) {
        assert_eq!(self.0.read(&mut [0]).expect("an end without an error"), 0);
    }

    fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }
}

const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn hello() -> Answer {
    Answer::of(200, "Hello, World!")
}

#[test]
fn a_connection_lives_through_many_requests() {
    for processors in ["1", "2"] {
        let server = Server::start(&["--processors", processors]);
        let mut client = server.connect();
        for n in 0..100 {
            assert_eq!(client.ask(HELLO), hello());
            let body = vec![b'a' + n % 26; usize::from(n) * 700];
            let request = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
            assert_eq!(client.ask([request.as_bytes(), &body].concat()), Answer::of(200, &body));
        }
        let status = client.ask("GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(str::from_utf8(&status.body).expect("text").contains("Threads:"));
        client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.head(), (200, 13, false));
        let last = client.ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(last, hello().and_closes());
        client.is_closed();
        assert_eq!(server.drain(), "203 requests on 1 connections, 0 refused, 0 connections cut short");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    // More answers than are kept back at a time, so it must send before it has read everything.
    let mut requests = String::new();
    for n in 0..2000 {
        requests += HELLO;
        requests += &format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n{n:6}");
    }
    requests += "GET /slow/20 HTTP/1.1\r\nHost: x\r\n\r\n";
    requests += "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut sender = Client(BufReader::new(client.0.get_ref().try_clone().expect("a socket")));
    let sends = thread::spawn(move || sender.send(requests));
    for n in 0..2000 {
        assert_eq!(client.answer(), hello());
        assert_eq!(client.answer(), Answer::of(200, format!("{n:6}")));
    }
    assert_eq!(client.answer(), Answer::of(200, "slept"));
    assert_eq!(client.answer(), Answer::of(404, ""));
    sends.join().expect("no panic");
    drop(client);
    assert_eq!(server.drain(), "4002 requests on 1 connections, 0 refused, 0 connections cut short");
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let server = Server::start(&[]);
    let requests: [&str; 3] = [
        HELLO,
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n1\r\ne\r\n0\r\nT: z\r\n\r\n",
    ];
    let answers = [hello(), Answer::of(200, "abc"), Answer::of(200, "abcde")];
    for (request, answer) in requests.iter().zip(&answers) {
        // In two pieces, wherever they are cut.
        for at in 1..request.len() {
            let mut client = server.connect();
            client.send(&request[..at]);
            client.send(&request[at..]);
            assert_eq!(client.answer(), *answer);
        }
        // Byte by byte, and the next one right behind.
        let mut client = server.connect();
        for byte in format!("{request}{HELLO}").as_bytes() {
            client.send([*byte]);
        }
        assert_eq!((client.answer(), client.answer()), (Answer::of(answer.status, &answer.body), hello()));
    }
}

#[test]
fn whoever_waits_for_continue_is_told() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.line(), "HTTP/1.1 100 Continue");
    assert_eq!(client.line(), "");
    assert_eq!(client.ask("ok"), Answer::of(200, "ok"));
}

#[test]
fn an_old_client_is_closed_unless_it_asks() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), hello());
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n"), hello().and_closes());
    client.is_closed();
}

#[test]
fn what_cannot_be_read_is_refused_and_closed() {
    let server = Server::start(&[]);
    let field = format!("X: {}\r\n", "y".repeat(4000));
    let many = "X: y\r\n".repeat(200);
    for (request, status) in [
        ("hello\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/3.0\r\nHost: x\r\n\r\n".to_owned(), 505),
        ("\u{1}\u{2}\u{3}\u{4}".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", field.repeat(5)), 431),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n".to_owned(), 413),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(), 501),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n".to_owned(), 413),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n".to_owned(), 417),
    ] {
        let mut client = server.connect();
        // One that was understood before it is answered before it; what follows is not read.
        client.send(format!("{HELLO}{request}{HELLO}"));
        assert_eq!(client.answer(), hello());
        assert_eq!(client.answer(), Answer::of(status, "").and_closes(), "{request}");
        client.is_closed();
    }
    // What is understood and has no answer leaves the connection as it is.
    let mut client = server.connect();
    assert_eq!(client.ask("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"), Answer::of(405, ""));
    assert_eq!(client.ask(HELLO), hello());
}

#[test]
fn slow_clients_get_the_time_that_is_said_and_hold_up_nobody() {
    let server = Server::start(&["--processors", "1", "--head", "1", "--idle", "2"]);
    // One that never finishes its head, one whose body does not come, one that rests, and one that never reads.
    let mut head = server.connect();
    head.send("GET / HTTP/1.1\r\nHost:");
    let mut body = server.connect();
    body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
    let mut rests = server.connect();
    assert_eq!(rests.ask(HELLO), hello());
    let mut deaf = server.connect();
    deaf.0.get_mut().set_write_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let flood = HELLO.repeat(10_000);
    while deaf.0.get_mut().write_all(flood.as_bytes()).is_ok() {}
    let mut quick = server.connect();
    for _ in 0..100 {
        assert_eq!(quick.ask(HELLO), hello());
    }
    assert_eq!(head.answer(), Answer::of(408, "").and_closes());
    assert_eq!(body.answer(), Answer::of(408, "").and_closes());
    rests.is_closed();
}

#[test]
fn a_drain_answers_what_has_begun_and_nothing_is_lost() {
    for processors in ["1", "2"] {
        let server = Server::start(&["--processors", processors]);
        let mut resting = server.connect();
        assert_eq!(resting.ask(HELLO), hello());
        let mut slow: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for client in &mut slow {
            client.send(format!("GET /slow/300 HTTP/1.1\r\nHost: x\r\n\r\n{HELLO}"));
        }
        let mut partial = server.connect();
        partial.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
        // Each connection is served in its own time: this one, the last, has been served, so those before it have begun.
        let mut last = server.connect();
        assert_eq!(last.ask("GET /slow/20 HTTP/1.1\r\nHost: x\r\n\r\n"), Answer::of(200, "slept"));
        server.signal();
        resting.is_closed();
        last.is_closed();
        // The server goes on reading what had begun, and the last answer on a connection says that it is the last.
        partial.send("bc");
        assert_eq!(partial.answer(), Answer::of(200, "abc").and_closes());
        partial.is_closed();
        for client in &mut slow {
            assert_eq!(client.answer(), Answer::of(200, "slept"));
            assert_eq!(client.answer(), hello().and_closes());
            client.is_closed();
        }
        TcpStream::connect(server.address).expect_err("nobody new is accepted");
        assert_eq!(server.end(), "43 requests on 23 connections, 0 refused, 0 connections cut short");
    }
}

#[test]
fn under_load_a_drain_loses_no_answer() {
    let server = Server::start(&[]);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let mut client = server.connect();
            thread::spawn(move || {
                let mut answered = 0_u64;
                // Until the server says that it was the last, or closes before it has got a request.
                while client.0.get_mut().write_all(HELLO.as_bytes()).is_ok() {
                    match client.0.fill_buf() {
                        Ok([]) | Err(_) => break,
                        Ok(_) => {}
                    }
                    let answer = client.answer();
                    answered += 1;
                    assert_eq!(answer.body, b"Hello, World!");
                    if answer.closes {
                        client.is_closed();
                        break;
                    }
                }
                answered
            })
        })
        .collect();
    let mut one = server.connect();
    for _ in 0..200 {
        assert_eq!(one.ask(HELLO), hello());
    }
    server.signal();
    let answered: u64 = 200 + clients.into_iter().map(|client| client.join().expect("no panic")).sum::<u64>();
    assert_eq!(server.end(), format!("{answered} requests on 17 connections, 0 refused, 0 connections cut short"));
}

#[test]
fn what_outlasts_the_grace_or_a_second_signal_is_cut_short() {
    let server = Server::start(&["--grace", "0"]);
    let mut client = server.connect();
    let mut first = server.connect();
    client.send("GET /slow/60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(first.ask("GET /slow/50 HTTP/1.1\r\nHost: x\r\n\r\n"), Answer::of(200, "slept"));
    drop(first);
    assert_eq!(server.drain(), "1 requests on 2 connections, 0 refused, 1 connections cut short");
    client.is_closed();

    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut first = server.connect();
    client.send("GET /slow/60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(first.ask("GET /slow/50 HTTP/1.1\r\nHost: x\r\n\r\n"), Answer::of(200, "slept"));
    server.signal();
    // It drains, for it has closed the one that rests.
    first.is_closed();
    assert_eq!(server.drain(), "1 requests on 2 connections, 0 refused, 1 connections cut short");
    client.is_closed();
}

#[test]
fn clients_that_vanish_leave_the_others_alone() {
    let server = Server::start(&["--processors", "1"]);
    let mut stays = server.connect();
    for n in 0..50 {
        let mut client = server.connect();
        client.send(&HELLO[..n % HELLO.len()]);
        match n % 3 {
            0 => client.0.get_mut().shutdown(Shutdown::Write).expect("a socket"),
            1 => reset(client),
            _ => drop(client),
        }
        assert_eq!(stays.ask(HELLO), hello());
    }
}

/// Closes so that the other side sees a reset.
fn reset(client: Client) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    let socket = client.0.get_ref().as_raw_fd();
    // SAFETY: reads the structure that it is given.
    let set = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size) };
    assert_eq!(set, 0);
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--address", "here"], "--address `here` is not accepted: it must be an address with a port"),
        (vec!["--processors=0"], "--processors `0` is not accepted: it must be a whole number from 1 to 1024"),
        (vec!["--grace"], "--grace needs a value: a whole number from 0 to 3600"),
        (
            vec!["--port", "1"],
            "unknown flag `--port`: accepted are --address, --processors, --grace, --idle and --head",
        ),
    ] {
        let outcome =
            arguments.iter().fold(Process::program(&example()), |process, argument| process.arg(argument)).run();
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        outcome.says(words);
    }
    Process::program(&example()).arg("--help").run().succeeds().prints("--grace");
}
