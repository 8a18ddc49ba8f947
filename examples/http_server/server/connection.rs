//! One connection, from its first byte to its close.
//!
//! ```text
//!   rest ──► head ──► body ──► answer ──► another request at hand? ── yes ──► head
//!    ▲                                                            └── no ───► send all answers, rest
//!    └───────────────────────────────────────────────────────────────────────────┘
//! ```
//! A connection *rests* while nothing of a request has arrived. Only a rest is cut short when the server drains, and only if nothing
//! has arrived by then: a wait that need not wait goes on. So each request of which a byte has been received is read and answered.

use super::Limits;
use super::body::{self, Failure};
use super::head::{self, Head, Parsed};
use super::input::Input;
use super::output::{Connection, Output};
use super::routes::Answer;
use greenbridge::cancel::CancelToken;
use greenbridge::net::TcpStream;
use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// How long a client may take to receive an answer, or a part of one.
const SLOWEST_RECEIVER: Duration = Duration::from_secs(10);
/// How long a client may take to close its side, once the server has.
const LINGER: Duration = Duration::from_secs(1);

/// What a connection has come to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Served {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Those that could not be read.
    pub(crate) refused: u64,
}

/// Serves a client until it closes, rests too long, sends what cannot be understood, or `drain` is cancelled. `served` counts.
///
/// # Errors
/// If the connection fails.
pub(crate) fn serve(stream: &TcpStream, limits: &Limits, drain: &CancelToken, served: &mut Served) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(SLOWEST_RECEIVER))?;
    let (mut input, mut output) = (Input::new(), Output::new());
    loop {
        let (head, length) = match next_head(stream, limits, drain, &mut input, &mut output)? {
            Next::Head(head, length) => (head, length),
            Next::Refused(status) => return refuse(status, stream, output, served),
            Next::Closed => return Ok(()),
        };
        input.use_up(length);
        let body = match read_body(&head, stream, limits, &mut input, &mut output) {
            Ok(body) => body,
            Err(Failure::Refused(status)) => return refuse(status, stream, output, served),
            Err(Failure::Io(error)) => return Err(error),
        };
        if head.route.waits() {
            output.send(stream)?;
        }
        let answer = head.route.answer(body);
        served.requests += 1;
        // What has arrived is answered, and the last answer says that no more will be.
        let closes =
            !head.keeps_alive || (drain.is_cancelled() && !matches!(head::parse(input.unused()), Parsed::Complete(..)));
        let connection = match (closes, head.is_old) {
            (true, _) => Connection::Closes,
            (false, true) => Connection::StaysForOld,
            (false, false) => Connection::Stays,
        };
        output.push(&answer, head.is_head, connection);
        if closes {
            return close(stream, output);
        }
        if output.is_enough() {
            output.send(stream)?;
        }
    }
}

/// What comes next on a connection.
enum Next {
    /// A head of this many bytes.
    Head(Head, usize),
    /// Something that cannot be understood, or comes too slowly.
    Refused(u16),
    /// Nothing.
    Closed,
}

/// Waits for the next head.
fn next_head(
    stream: &TcpStream,
    limits: &Limits,
    drain: &CancelToken,
    input: &mut Input,
    output: &mut Output,
) -> io::Result<Next> {
    let mut begun = None;
    loop {
        match head::parse(input.unused()) {
            Parsed::Complete(head, length) => return Ok(Next::Head(head, length)),
            Parsed::Refused(status) => return Ok(Next::Refused(status)),
            Parsed::Partial => {}
        }
        output.send(stream)?;
        let received = if input.unused().is_empty() {
            stream.set_read_timeout(Some(limits.idle))?;
            match drain.run(|| input.receive(stream)) {
                Ok(Err(error)) if is_timeout(&error) => return Ok(Next::Closed),
                Ok(received) => received?,
                Err(_) => return Ok(Next::Closed),
            }
        } else {
            let end = *begun.get_or_insert_with(|| Instant::now() + limits.head);
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::Refused(408));
            }
            stream.set_read_timeout(Some(left))?;
            match input.receive(stream) {
                Err(error) if is_timeout(&error) => return Ok(Next::Refused(408)),
                received => received?,
            }
        };
        if received == 0 {
            return Ok(Next::Closed);
        }
    }
}

fn read_body(
    head: &Head,
    stream: &TcpStream,
    limits: &Limits,
    input: &mut Input,
    output: &mut Output,
) -> Result<Vec<u8>, Failure> {
    if head.body == head::Body::Length(0) {
        return Ok(Vec::new());
    }
    if head.expects_continue && !matches!(head.body, head::Body::Length(length) if length > body::LONGEST) {
        output.push_continue();
    }
    output.send(stream)?;
    stream.set_read_timeout(Some(limits.head))?;
    body::read(head.body, input, stream)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// Answers what cannot be read, and closes: where the next request begins is not known.
fn refuse(status: u16, stream: &TcpStream, mut output: Output, served: &mut Served) -> io::Result<()> {
    served.refused += 1;
    output.push(&Answer { status, body: Cow::default() }, false, Connection::Closes);
    close(stream, output)
}

/// Sends what is left, says that it was the last, and waits for the client to have read it: were the socket closed while bytes of
/// the client are unread, the system would throw the answer away.
fn close(mut stream: &TcpStream, mut output: Output) -> io::Result<()> {
    output.send(stream)?;
    stream.shutdown(Shutdown::Write)?;
    let end = Instant::now() + LINGER;
    let mut rest = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut rest) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}
