//! The answers that are ready and not sent yet. Those of pipelined requests go out together.

use super::date::Date;
use super::routes::Answer;
use std::io::{self, Write};

/// What is kept back at most, while more requests are at hand.
const ENOUGH: usize = 64 * 1024;

/// What becomes of the connection, as the answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It stays, which goes without saying.
    Stays,
    /// It stays, and the client is an old one that must be told.
    StaysForOld,
    /// It is closed after this answer.
    Closes,
}

pub(crate) struct Output {
    bytes: Vec<u8>,
    date: Date,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), date: Date::default() }
    }

    /// Appends an answer, without its body if `is_head`.
    pub(crate) fn push(&mut self, answer: &Answer, is_head: bool, connection: Connection) {
        let Answer { status, body } = answer;
        let to = &mut self.bytes;
        to.extend_from_slice(status_line(*status));
        if *status == 405 {
            to.extend_from_slice(b"Allow: GET, HEAD, POST\r\n");
        }
        to.extend_from_slice(b"Content-Type: text/plain\r\nContent-Length: ");
        push_number(to, body.len());
        to.extend_from_slice(b"\r\nDate: ");
        to.extend_from_slice(self.date.now().as_bytes());
        to.extend_from_slice(match connection {
            Connection::Stays => b"\r\n\r\n",
            Connection::StaysForOld => b"\r\nConnection: keep-alive\r\n\r\n",
            Connection::Closes => b"\r\nConnection: close\r\n\r\n",
        });
        if !is_head {
            to.extend_from_slice(body);
        }
    }

    /// Lets a client that has asked send its body.
    pub(crate) fn push_continue(&mut self) {
        self.bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Whether it should not grow any more.
    pub(crate) fn is_enough(&self) -> bool {
        self.bytes.len() >= ENOUGH
    }

    /// Sends everything.
    ///
    /// # Errors
    /// Those of the writes.
    pub(crate) fn send(&mut self, mut to: impl Write) -> io::Result<()> {
        if !self.bytes.is_empty() {
            to.write_all(&self.bytes)?;
            self.bytes.clear();
            self.bytes.shrink_to(ENOUGH);
        }
        Ok(())
    }
}

fn push_number(to: &mut Vec<u8>, number: usize) {
    let (mut digits, mut start, mut rest) = ([0; 20], 20, number);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return to.extend_from_slice(&digits[start..]);
        }
    }
}

fn status_line(status: u16) -> &'static [u8] {
    match status {
        200 => b"HTTP/1.1 200 OK\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        405 => b"HTTP/1.1 405 Method Not Allowed\r\n",
        408 => b"HTTP/1.1 408 Request Timeout\r\n",
        413 => b"HTTP/1.1 413 Content Too Large\r\n",
        417 => b"HTTP/1.1 417 Expectation Failed\r\n",
        431 => b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
        501 => b"HTTP/1.1 501 Not Implemented\r\n",
        505 => b"HTTP/1.1 505 HTTP Version Not Supported\r\n",
        _ => b"HTTP/1.1 500 Internal Server Error\r\n",
    }
}
