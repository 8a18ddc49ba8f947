//! What a connection has received and not used yet.

use std::io::{self, Read};

/// How long a head may be, its last empty line included.
pub(crate) const LONGEST_HEAD: usize = 16 * 1024;

/// A buffer with room for one head. What follows it stays for the next request.
pub(crate) struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; LONGEST_HEAD].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What has not been used.
    pub(crate) fn unused(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Forgets the first `count` bytes of it.
    pub(crate) fn use_up(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Receives more, with one read. 0: there will not be any.
    ///
    /// # Errors
    /// Those of the read.
    pub(crate) fn receive(&mut self, mut from: impl Read) -> io::Result<usize> {
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let count = from.read(&mut self.bytes[self.end..])?;
        self.end += count;
        Ok(count)
    }
}
