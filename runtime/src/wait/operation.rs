//! An operation that waits in a queue, written once: blocking, with a deadline, and as a future.

use super::queue::Waiter;
use super::{What, wait, wait_until};
use core::fmt;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::time::Instant;

/// Something to wait for, in a [`WaitQueue`](super::queue::WaitQueue) of waiters with a slot of type `Slot`.
///
/// Implemented by a small value that refers to the object: `Receive { channel }`.
pub(crate) trait Operation {
    /// What is handed over.
    type Slot;
    /// What the wait brings.
    type Output;

    /// Looks; if it must wait, queues `waiter`, or, if that is queued already, renews its waker. Looking and queueing are one critical
    /// section of the object's lock.
    fn poll(&self, waiter: Pin<&mut Waiter<Self::Slot>>, context: &Context<'_>) -> Poll<Self::Output>;

    /// Nobody waits any more: takes `waiter` out of the queue if it is there. If it has been served in the meantime, what was handed over
    /// goes to the next one, or back.
    fn give_up(&self, waiter: Pin<&mut Waiter<Self::Slot>>);
}

/// An operation under way, with its waiter. Gives up when it is dropped, so that a queued waiter never goes away.
pub(crate) struct Waiting<O: Operation> {
    operation: O,
    waiter: Waiter<O::Slot>,
}

impl<O: Operation> Waiting<O> {
    /// An operation that has not looked yet.
    #[inline]
    pub(crate) const fn new(operation: O, slot: O::Slot) -> Self {
        Self { operation, waiter: Waiter::new(slot) }
    }
}

impl<O: Operation> Future for Waiting<O> {
    type Output = O::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O::Output> {
        // SAFETY: `waiter` is structurally pinned: it is moved nowhere, and `Drop` treats it as pinned. `operation` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        this.operation.poll(unsafe { Pin::new_unchecked(&mut this.waiter) }, context)
    }
}

impl<O: Operation> Drop for Waiting<O> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: pinned if it was ever polled, and not moved in here.
        self.operation.give_up(unsafe { Pin::new_unchecked(&mut self.waiter) });
    }
}

impl<O: Operation> fmt::Debug for Waiting<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiting").field(&self.waiter).finish()
    }
}

/// Waits for `operation`, wherever the caller is. `slot` is what it hands out, or where something is put.
///
/// # Panics
/// As [`wait`].
#[inline]
#[track_caller]
pub(crate) fn wait_for<O: Operation>(what: What, operation: O, slot: O::Slot) -> O::Output {
    let mut waiting = pin!(Waiting::new(operation, slot));
    wait(what, |context| waiting.as_mut().poll(context))
}

/// The same until `deadline`: None if that has come first, and then nothing has been taken.
///
/// # Panics
/// As [`wait_until`].
#[track_caller]
pub(crate) fn wait_for_until<O: Operation>(
    what: What,
    deadline: Option<Instant>,
    operation: O,
    slot: O::Slot,
) -> Option<O::Output> {
    let mut waiting = pin!(Waiting::new(operation, slot));
    wait_until(what, deadline, |context| waiting.as_mut().poll(context))
}
