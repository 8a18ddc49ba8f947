//! The body of a request, read to its end, so that the next request begins where it should.

use super::head::Body;
use super::input::Input;
use httparse::Status;
use std::io::{self, ErrorKind, Read};

/// How long a body may be.
pub(crate) const LONGEST: u64 = 1024 * 1024;
/// How long what stands around a chunk may be: its length with extensions, and the trailer fields.
const LONGEST_LINE: usize = 4 * 1024;

/// Why a request has no body.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is answered with this status, and the connection closed.
    Refused(u16),
    /// The connection failed.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Refused(408),
            _ => Self::Io(error),
        }
    }
}

/// Reads the body that begins in `input` and goes on in `from`.
///
/// # Errors
/// If it is too long or malformed, comes too slowly, or does not come to its end.
pub(crate) fn read(body: Body, input: &mut Input, mut from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match body {
        Body::Length(length) if length > LONGEST => return Err(Failure::Refused(413)),
        Body::Length(length) => take(length, &mut bytes, input, &mut from)?,
        Body::Chunked => loop {
            let length = chunk_length(input, &mut from)?;
            if bytes.len() as u64 + length > LONGEST {
                return Err(Failure::Refused(413));
            }
            if length == 0 {
                while !line(input, &mut from)?.is_empty() {}
                break;
            }
            take(length, &mut bytes, input, &mut from)?;
            if !line(input, &mut from)?.is_empty() {
                return Err(Failure::Refused(400));
            }
        },
    }
    Ok(bytes)
}

/// Appends the next `length` bytes to `bytes`.
fn take(length: u64, bytes: &mut Vec<u8>, input: &mut Input, from: &mut impl Read) -> Result<(), Failure> {
    let end = bytes.len() + length as usize;
    loop {
        let at_hand = input.unused();
        let count = at_hand.len().min(end - bytes.len());
        bytes.extend_from_slice(&at_hand[..count]);
        input.use_up(count);
        if bytes.len() == end {
            return Ok(());
        }
        more(input, from)?;
    }
}

/// The length of the chunk that comes next.
fn chunk_length(input: &mut Input, from: &mut impl Read) -> Result<u64, Failure> {
    loop {
        match httparse::parse_chunk_size(input.unused()) {
            Ok(Status::Complete((count, length))) => {
                input.use_up(count);
                return Ok(length);
            }
            Ok(Status::Partial) if input.unused().len() < LONGEST_LINE => more(input, from)?,
            _ => return Err(Failure::Refused(400)),
        }
    }
}

/// The next line, without its end.
fn line(input: &mut Input, from: &mut impl Read) -> Result<Vec<u8>, Failure> {
    loop {
        let at_hand = input.unused();
        if let Some(end) = at_hand.iter().position(|byte| *byte == b'\n') {
            let line = at_hand[..end].strip_suffix(b"\r").ok_or(Failure::Refused(400))?.to_vec();
            input.use_up(end + 1);
            return Ok(line);
        }
        if at_hand.len() >= LONGEST_LINE {
            return Err(Failure::Refused(400));
        }
        more(input, from)?;
    }
}

fn more(input: &mut Input, from: &mut impl Read) -> Result<(), Failure> {
    match input.receive(from)? {
        0 => Err(Failure::Io(ErrorKind::UnexpectedEof.into())),
        _ => Ok(()),
    }
}
