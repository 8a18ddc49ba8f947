//! The connections of a listener, one after the other.

use super::{TcpListener, TcpStream, UnixListener, UnixStream};
use core::iter::FusedIterator;
use std::io;

/// An iterator over the connections that a listener accepts. It never ends: made by [`TcpListener::incoming`] and
/// [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked"]
pub struct Incoming<'a, L> {
    listener: &'a L,
}

impl<'a, L> Incoming<'a, L> {
    pub(super) fn new(listener: &'a L) -> Self {
        Self { listener }
    }
}

impl Iterator for Incoming<'_, TcpListener> {
    type Item = io::Result<TcpStream>;

    #[inline(never)]
    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl Iterator for Incoming<'_, UnixListener> {
    type Item = io::Result<UnixStream>;

    #[inline(never)]
    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl<L> FusedIterator for Incoming<'_, L> where Self: Iterator {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a, UnixListener>;

    fn into_iter(self) -> Self::IntoIter {
        self.incoming()
    }
}
