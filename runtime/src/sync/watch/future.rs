//! The waits of both sides as operations, and as futures.

use super::{Receiver, Shared, State};
use crate::primitive::{MutexGuard, Ordering};
use crate::sync::channel::RecvError;
use crate::wait::operation::{Operation, Waiting};
use crate::wait::queue::{WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A receiver waits for a value that it has not seen.
pub(super) struct WaitForChange<'a, T>(pub(super) &'a Receiver<T>);

impl<T> Operation for WaitForChange<'_, T> {
    type Slot = ();
    type Output = Result<(), RecvError>;

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<Self::Output> {
        let state = self.0.shared.lock();
        if state.version != self.0.seen.load(Ordering::Relaxed) {
            self.0.seen.store(state.version, Ordering::Relaxed);
            return Poll::Ready(Ok(()));
        }
        if state.senders == 0 {
            return Poll::Ready(Err(RecvError));
        }
        queue(state, |state| &mut state.waiting, waiter, context);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = self.0.shared.lock().waiting.give_up(waiter.as_ref());
        }
    }
}

/// A sender waits for the last receiver to go.
pub(super) struct WaitForClose<'a, T>(pub(super) &'a Shared<T>);

impl<T> Operation for WaitForClose<'_, T> {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let state = self.0.lock();
        if state.receivers == 0 {
            return Poll::Ready(());
        }
        queue(state, |state| &mut state.waiting_senders, waiter, context);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = self.0.lock().waiting_senders.give_up(waiter.as_ref());
        }
    }
}

/// Queues `waiter`, or renews its waker. In the same critical section the caller has found that it must wait.
fn queue<T>(
    mut state: MutexGuard<'_, State<T>>,
    queue: impl FnOnce(&mut State<T>) -> &mut WaitQueue<()>,
    waiter: Pin<&mut Waiter<()>>,
    context: &Context<'_>,
) {
    let queue = queue(&mut state);
    // SAFETY: 1. in this queue or none; 2. pinned by its owner, who gives up before it drops it; 3. the channel's lock.
    let old = unsafe { queue.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
    drop(state);
    drop(old);
}

/// Made by [`Receiver::changed_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct ChangedFuture<'a, T>(pub(super) Waiting<WaitForChange<'a, T>>);

impl<T> Future for ChangedFuture<'_, T> {
    type Output = Result<(), RecvError>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

/// Made by [`Sender::closed_async`](super::Sender::closed_async).
#[must_use = "a future does nothing until it is polled"]
pub struct ClosedFuture<'a, T>(pub(super) Waiting<WaitForClose<'a, T>>);

impl<T> Future for ClosedFuture<'_, T> {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

impl<T> fmt::Debug for ChangedFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChangedFuture").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for ClosedFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClosedFuture").field(&self.0).finish()
    }
}
