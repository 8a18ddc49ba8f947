//! Waiting: one way for every blocking operation, wherever the caller stands.
//!
//! A blocking operation is a poll function, as of a future: it looks, and if it must wait it leaves a `Waker` where it will be found.
//! [`wait`] calls it until it is ready. The same poll function serves as the future's.

pub(crate) mod block_on;
pub(crate) mod park;
pub(crate) mod queue;

use crate::green::switch::Suspended;
use crate::green::thread::borrowed_waker;
use core::task::{Context, Poll};
use park::Switched;

/// Waits until `poll` is ready, wherever the caller is: see `park.rs`.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait.
pub(crate) fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let Some(green) = park::running() else { return park::wait_on_thread(poll) };
    // SAFETY: `green` is running this very function, so it outlives the waker.
    let waker = unsafe { borrowed_waker(green) };
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&mut context) {
            return value;
        }
        // SAFETY: as above.
        if unsafe { green.as_ref() }.state.take_notification() {
            continue;
        }
        match park::switch(green, Suspended::Park) {
            Switched::Resumed => {}
            Switched::MustBlock => return park::wait_on_thread(poll),
            Switched::MayNot => park::waiting_under_bare_call(),
        }
    }
}
