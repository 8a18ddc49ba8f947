//! Timers: a deadline, and a `Waker` to be woken when it has come.

use core::task::Waker;
use std::time::Instant;

/// Whether any timer is armed.
pub(crate) fn is_armed() -> bool {
    false
}

/// A timer, armed or not. Disarmed when it is dropped.
#[derive(Debug)]
pub(crate) struct Timer {}

impl Timer {
    /// A timer that is not armed.
    pub(crate) const fn new() -> Self {
        Self {}
    }

    /// Arms it: `waker` is woken once `deadline` has come. One that is armed for that very waker and deadline is left alone.
    pub(crate) fn arm(&mut self, _deadline: Instant, _waker: &Waker) {}

    /// Disarms it, if it is armed. The waker may just have been woken, or be about to be.
    pub(crate) fn disarm(&mut self) {}
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}
