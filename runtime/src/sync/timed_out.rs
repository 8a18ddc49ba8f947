//! The end of a wait that has taken too long.

use crate::driver::clock;
use core::fmt;
use std::error::Error;
use std::time::{Duration, Instant};

/// The deadline came before what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl Error for TimedOut {}

/// The deadline of a wait that begins now. None, which is no deadline, if the clock cannot count that far.
pub(super) fn deadline_after(timeout: Duration) -> Option<Instant> {
    clock::now().checked_add(timeout)
}
