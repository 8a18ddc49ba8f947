//! Waking a green thread: its state word, then the scheduler.

use super::schedule::{self, Place};
use crate::green::state::Wake;
use crate::green::thread::{Green, Ready};
use crate::seen;
use core::ptr::NonNull;

/// Wakes `green`: what its `Waker` does, on whatever OS thread.
#[inline]
pub(crate) fn wake(green: &Green) {
    if green.state.wake() == Wake::MustSchedule {
        // SAFETY: it was parked, and this caller was told to schedule it.
        let ready = unsafe { Ready::from_raw(NonNull::from(&**green)) };
        seen::woken(&ready);
        schedule::schedule(ready, Place::Next);
    }
}
