//! The head of a request: what the connection must know of it.
//!
//! `httparse` finds the parts; what they mean for the bytes that follow is decided here, and everything doubtful is refused: two readings of where
//! a request ends would let one hide inside another.

use super::input::LONGEST_HEAD;
use super::routes::Route;
use httparse::{EMPTY_HEADER, Error, Header, Status};

/// How many header fields there may be.
const MOST_FIELDS: usize = 100;

/// A request without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) route: Route,
    /// HEAD: the answer has no body.
    pub(crate) is_head: bool,
    pub(crate) body: Body,
    /// The client waits for "100 Continue" before it sends the body.
    pub(crate) expects_continue: bool,
    /// The client may send another request on this connection.
    pub(crate) keeps_alive: bool,
    /// HTTP/1.0, where staying alive must be said.
    pub(crate) is_old: bool,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// It has this many bytes.
    Length(u64),
    /// It comes in chunks, each with its length.
    Chunked,
}

/// What the bytes of a connection begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A head of this many bytes.
    Complete(Head, usize),
    /// The beginning of one.
    Partial,
    /// Something that is answered with this status and nothing else.
    Refused(u16),
}

/// Reads the head that `bytes` begin with.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(Status::Complete(length)) => match understand(&request) {
            Ok(head) => Parsed::Complete(head, length),
            Err(status) => Parsed::Refused(status),
        },
        Ok(Status::Partial) if bytes.len() >= LONGEST_HEAD => Parsed::Refused(431),
        Ok(Status::Partial) => Parsed::Partial,
        Err(Error::TooManyHeaders) => Parsed::Refused(431),
        Err(Error::Version) => Parsed::Refused(505),
        Err(_) => Parsed::Refused(400),
    }
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Head, u16> {
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(400);
    };
    let is_old = version == 0;
    let mut keeps_alive = !is_old;
    let (mut hosts, mut length, mut is_chunked, mut expects_continue) = (0, None, false, false);
    for Header { name, value } in &*request.headers {
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case("content-length") {
            let value = number(value).ok_or(400_u16)?;
            if length.replace(value).is_some_and(|other| other != value) {
                return Err(400);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if is_chunked || is_old {
                return Err(400);
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(501);
            }
            is_chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    keeps_alive = false;
                } else if is_old && option.eq_ignore_ascii_case(b"keep-alive") {
                    keeps_alive = true;
                }
            }
        } else if name.eq_ignore_ascii_case("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(417);
            }
            expects_continue = !is_old;
        }
    }
    // Both lengths at once, or none or two hosts: somebody on the way may have understood something else.
    if (is_chunked && length.is_some()) || (!is_old && hosts != 1) {
        return Err(400);
    }
    let body = if is_chunked { Body::Chunked } else { Body::Length(length.unwrap_or(0)) };
    let route = Route::of(method, target);
    Ok(Head { route, is_head: method == "HEAD", body, expects_continue, keeps_alive, is_old })
}

/// A length: digits and nothing else.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
