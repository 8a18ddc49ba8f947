//! Files that green threads wait for, a byte at a time.

use greenbridge::net::Async;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Connected streams, of which the first waits.
pub(crate) fn streams() -> (Async<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (Async::new(ours).expect("non-blocking"), theirs)
}

pub(crate) fn read_byte(mut file: impl Read) -> u8 {
    let mut byte = [0];
    file.read_exact(&mut byte).expect("a byte");
    byte[0]
}

pub(crate) fn write_byte(mut file: impl Write, byte: u8) {
    file.write_all(&[byte]).expect("room");
}
