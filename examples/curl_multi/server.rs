//! The server: HTTP on loopback, on green threads of the same process. `/N` is a text that takes its time, `/stuck` never comes to its end.

use greenbridge::net::{TcpListener, TcpStream};
use greenbridge::{spawn, time};
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

/// Pieces of an answer, and bytes in each.
const PIECES: usize = 20;
const PIECE: usize = 10_000;
/// Between two pieces.
const PAUSE: Duration = Duration::from_millis(5);

/// Starts it, and returns its address as the beginning of a URL.
pub(crate) fn start() -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let base = format!("http://{}", listener.local_addr()?);
    spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // A client that goes away in the middle is its own affair.
            spawn(move || drop(serve(&stream)));
        }
    });
    Ok(base)
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    // The rest of the head is of no interest.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PIECES * PIECE)?;
    for number in 0..PIECES {
        if path == "stuck" && number == PIECES / 2 {
            greenbridge::park();
        }
        stream.write_all(&piece(&path, number))?;
        time::sleep(PAUSE);
    }
    Ok(())
}

/// A piece of what lies at `path`.
fn piece(path: &str, number: usize) -> Vec<u8> {
    format!("{path}, piece {number}\n").bytes().cycle().take(PIECE).collect()
}

/// All of it.
pub(crate) fn text(path: &str) -> impl Iterator<Item = u8> {
    (0..PIECES).flat_map(move |number| piece(path, number))
}
