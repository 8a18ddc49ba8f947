//! Locking as a future.

use super::owned::OwnedMutexGuard;
use super::raw::{Claim, RawMutex};
use super::{Lock, Mutex, MutexGuard};
use crate::wait::operation::{Operation, Waiting};
use crate::wait::queue::Waiter;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

/// Made by [`Mutex::lock_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct LockFuture<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    waiting: Waiting<Lock<'a>>,
}

impl<'a, T: ?Sized> LockFuture<'a, T> {
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, waiting: Waiting::new(Lock(&mutex.raw), Claim::new()) }
    }
}

impl<'a, T: ?Sized> Future for LockFuture<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mutex = self.mutex;
        // SAFETY: `waiting` is structurally pinned, `mutex` is not.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiting) }.poll(context).map(|()| MutexGuard::of(mutex))
    }
}

impl<T: ?Sized> fmt::Debug for LockFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockFuture").field(&self.waiting).finish()
    }
}

/// Made by [`Mutex::lock_owned_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct LockOwnedFuture<T: ?Sized> {
    waiting: Waiting<LockOwned<T>>,
}

impl<T: ?Sized> LockOwnedFuture<T> {
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self { waiting: Waiting::new(LockOwned(mutex), Claim::new()) }
    }
}

impl<T: ?Sized> Future for LockOwnedFuture<T> {
    type Output = OwnedMutexGuard<T>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiting) }.poll(context)
    }
}

impl<T: ?Sized> fmt::Debug for LockOwnedFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockOwnedFuture").field(&self.waiting).finish()
    }
}

/// A lock that is waited for, and kept.
struct LockOwned<T: ?Sized>(Arc<Mutex<T>>);

impl<T: ?Sized> LockOwned<T> {
    fn raw(&self) -> &RawMutex {
        &self.0.raw
    }
}

impl<T: ?Sized> Operation for LockOwned<T> {
    type Slot = Claim;
    type Output = OwnedMutexGuard<T>;

    fn poll(&self, waiter: Pin<&mut Waiter<Claim>>, context: &Context<'_>) -> Poll<OwnedMutexGuard<T>> {
        self.raw().poll_lock(waiter, context).map(|()| OwnedMutexGuard::of(Arc::clone(&self.0)))
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<Claim>>) {
        self.raw().give_up(waiter);
    }
}
