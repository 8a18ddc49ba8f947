//! A wait on a condition variable as a future.

use super::Condvar;
use super::waiting::Waiting;
use crate::sync::mutex::{Mutex, MutexGuard};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Made by [`Condvar::wait_async`]. It holds the lock until it is first polled, or dropped.
#[must_use = "a future does nothing until it is polled"]
pub struct WaitFuture<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    waiting: Waiting<'a>,
}

impl<'a, T: ?Sized> WaitFuture<'a, T> {
    /// Of one that holds `mutex`, and has taken its guard apart.
    pub(super) fn new(condvar: &'a Condvar, mutex: &'a Mutex<T>) -> Self {
        Self { mutex, waiting: Waiting::new(condvar, mutex.raw()) }
    }
}

impl<'a, T: ?Sized> Future for WaitFuture<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mutex = self.mutex;
        // SAFETY: `waiting` is structurally pinned, `mutex` is not.
        let mut waiting = unsafe { self.map_unchecked_mut(|future| &mut future.waiting) };
        ready!(waiting.as_mut().poll_notified(context));
        ready!(waiting.poll_lock(context));
        Poll::Ready(MutexGuard::of(mutex))
    }
}

impl<T: ?Sized> fmt::Debug for WaitFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitFuture").field(&self.waiting).finish()
    }
}
