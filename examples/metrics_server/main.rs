//! Serves the runtime's figures to Prometheus: `GET /metrics`.
//!
//! ```text
//! $ cargo run --release --example metrics_server -- 127.0.0.1:9090
//! serving http://127.0.0.1:9090/metrics
//!
//! $ cargo run --release --example metrics_server
//! # HELP greenbridge_processors Processors: how many green threads can run at the same time.
//! # TYPE greenbridge_processors gauge
//! greenbridge_processors 2
//! ...
//! ```
//! Without an address it serves on a free port, asks itself once, and prints the answer.

use greenbridge::net::{TcpListener, TcpStream};
use greenbridge::{Builder, call, metrics, run, spawn, time};
use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: no function here touches a thread-local across a wait.
    unsafe { Builder::new().start()? };
    // Something to be seen.
    drop(spawn(work));
    match env::args().nth(1) {
        Some(address) => run(move || {
            let listener = TcpListener::bind(address)?;
            println!("serving http://{}/metrics", listener.local_addr()?);
            serve(&listener)
        })?,
        None => print!("{}", run(ask_oneself)?),
    }
    Ok(())
}

/// Answers each connection on a green thread of its own.
fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        spawn(move || {
            if let Err(error) = answer(&stream) {
                eprintln!("a client has gone: {error}");
            }
        });
    }
}

fn answer(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The head ends with an empty line.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match request.split(' ').collect::<Vec<_>>()[..] {
        ["GET", "/metrics", _] => ("200 OK", metrics().to_prometheus()),
        _ => ("404 Not Found", "the figures are at /metrics\n".to_owned()),
    };
    let mut out = stream;
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The body of the answer.
fn ask_oneself() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address: SocketAddr = listener.local_addr()?;
    drop(spawn(move || serve(&listener)));
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200 "));
    body.map(|(_, body)| body.to_owned()).ok_or_else(|| io::Error::other(answer))
}

/// A green thread that calls C every millisecond.
fn work() {
    loop {
        // SAFETY: it takes no argument.
        call(|| unsafe { libc::getpid() });
        time::sleep(Duration::from_millis(1));
    }
}
