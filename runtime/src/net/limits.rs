//! How long the operations of a socket may wait: timeouts as std's, deadlines as Go's, and not at all.
//!
//! They belong to the socket, and not to one handle of it: clones share them, as std's clones share the options of the system.

use crate::driver::clock::{self, Moment, NEVER};
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::time::{Duration, Instant};

/// The limits of one socket.
///
/// Each word is read alone, before an operation begins, so nothing needs an order: whoever sets a limit and then hands the socket on
/// has ordered the two by handing it on.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) read: Limit,
    pub(super) write: Limit,
    is_nonblocking: AtomicBool,
    /// Whether the socket, one for datagrams, has been told to receive no more.
    has_ended: AtomicBool,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            read: Limit::new(),
            write: Limit::new(),
            is_nonblocking: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Whether operations return `WouldBlock` where they would have to wait.
    #[inline]
    pub(super) fn is_nonblocking(&self) -> bool {
        self.is_nonblocking.load(Ordering::Relaxed)
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.is_nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// Whether there is nothing more to receive.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Set before the system is told, whose event then wakes those who wait.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

/// The limits in one direction.
#[derive(Debug)]
pub(super) struct Limit {
    /// Nanoseconds; [`NO_TIMEOUT`]: none.
    timeout: AtomicU64,
    deadline: AtomicU64,
}

const NO_TIMEOUT: u64 = 0;

impl Limit {
    fn new() -> Self {
        Self { timeout: AtomicU64::new(NO_TIMEOUT), deadline: AtomicU64::new(NEVER) }
    }

    /// When an operation that begins now must end.
    #[inline]
    pub(super) fn end(&self) -> Option<Instant> {
        let (timeout, deadline) = (self.timeout.load(Ordering::Relaxed), self.deadline.load(Ordering::Relaxed));
        if timeout == NO_TIMEOUT && deadline == NEVER {
            return None;
        }
        let end = if timeout == NO_TIMEOUT { NEVER } else { clock::moment().saturating_add(timeout) };
        clock::instant_of(end.min(deadline))
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.timeout.load(Ordering::Relaxed) {
            NO_TIMEOUT => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Sets the timeout. A zero one is an error, as std has it: there, it would mean none.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let nanoseconds = match timeout {
            Some(Duration::ZERO) => return Err(zero_timeout()),
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
            None => NO_TIMEOUT,
        };
        self.timeout.store(nanoseconds, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        clock::instant_of(self.deadline.load(Ordering::Relaxed))
    }

    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        let moment: Moment = deadline.map_or(NEVER, clock::moment_of);
        self.deadline.store(moment, Ordering::Relaxed);
    }
}

/// What std says to a timeout of zero.
#[cold]
pub(super) fn zero_timeout() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_timeout_and_deadline_ends_an_operation() -> io::Result<()> {
        let limit = Limit::new();
        assert_eq!(limit.end(), None);
        let hour = Duration::from_secs(3600);
        let deadline = clock::now() + hour;
        limit.set_deadline(Some(deadline));
        assert_eq!((limit.deadline(), limit.end()), (Some(deadline), Some(deadline)));
        limit.set_timeout(Some(hour / 2))?;
        assert!(limit.end().is_some_and(|end| end < deadline));
        limit.set_deadline(None);
        assert!(limit.end().is_some_and(|end| end < deadline));
        limit.set_timeout(None)?;
        assert_eq!((limit.timeout(), limit.end()), (None, None));
        Ok(())
    }

    #[test]
    fn a_timeout_of_zero_is_refused_and_an_endless_one_taken() -> io::Result<()> {
        let limit = Limit::new();
        let refused = limit.set_timeout(Some(Duration::ZERO)).expect_err("zero is refused");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        limit.set_timeout(Some(Duration::MAX))?;
        assert_eq!(limit.end(), None);
        Ok(())
    }
}
