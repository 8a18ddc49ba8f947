//! The branches of a select that send and receive.
//!
//! They are operations like those in `channel.rs`, in three steps: look, queue, finish. See `wait/select.rs`.

use super::shared::{Channel, wake};
use super::{Receiver, RecvError, SendError, Sender};
use crate::select::branch::Completes;
use crate::wait::commit::Commit;
use crate::wait::queue::Waiter;
use crate::wait::select::{Branch, Look};
use core::fmt;
use core::pin::Pin;
use core::task::Context;
use std::collections::VecDeque;

/// `recv(..)`.
pub struct RecvBranch<'a, T> {
    channel: &'a Channel<T>,
    /// Structurally pinned.
    waiter: Waiter<Option<T>>,
    output: Option<Result<T, RecvError>>,
}

/// `send(..)`.
pub struct SendBranch<'a, T> {
    channel: &'a Channel<T>,
    /// Structurally pinned. The slot holds the message until it is sent.
    waiter: Waiter<Option<T>>,
    output: Option<Result<(), SendError<T>>>,
}

impl<'a, T> RecvBranch<'a, T> {
    pub(crate) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { channel: &receiver.channel, waiter: Waiter::new(None), output: None }
    }
}

impl<'a, T> SendBranch<'a, T> {
    pub(crate) fn new(sender: &'a Sender<T>, message: T) -> Self {
        Self { channel: &sender.channel, waiter: Waiter::new(Some(message)), output: None }
    }
}

/// What both have.
macro_rules! both_branches {
    ($($branch:ident brings $output:ty),*) => { $(
        impl<T> $branch<'_, T> {
            /// The channel, the waiter, and where the output goes.
            fn parts(self: Pin<&mut Self>) -> (&Channel<T>, Pin<&mut Waiter<Option<T>>>, &mut Option<$output>) {
                // SAFETY: `waiter` is structurally pinned: it is moved nowhere. The others are not pinned.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: as above.
                (this.channel, unsafe { Pin::new_unchecked(&mut this.waiter) }, &mut this.output)
            }
        }

        impl<T> Completes for $branch<'_, T> {
            type Output = $output;

            fn take(self: Pin<&mut Self>) -> Option<$output> {
                self.parts().2.take()
            }
        }

        impl<T> fmt::Debug for $branch<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($branch)).field(&self.waiter).finish()
            }
        }
    )* };
}
both_branches!(RecvBranch brings Result<T, RecvError>, SendBranch brings Result<(), SendError<T>>);

impl<T> Branch for RecvBranch<'_, T> {
    fn look(self: Pin<&mut Self>, _: &mut Context<'_>) -> Look {
        let (channel, _, output) = self.parts();
        let mut state = channel.lock();
        if let Some((message, waker)) = state.take() {
            drop(state);
            wake(waker);
            *output = Some(Ok(message));
            return Look::Ready;
        }
        if state.is_closed {
            *output = Some(Err(RecvError));
            return Look::Ready;
        }
        Look::MustWait
    }

    unsafe fn queue(self: Pin<&mut Self>, commit: &Commit, context: &mut Context<'_>) -> Look {
        let (channel, waiter, _) = self.parts();
        let mut state = channel.lock();
        if !state.messages.is_empty() || state.is_closed || state.senders.may_serve(commit) {
            return Look::Ready;
        }
        // SAFETY: 1. a select queues a branch once, and gives up before it does so again; 2. pinned by its owner, who gives up before it
        // drops it; 3. the channel's lock; 4. the caller's duty.
        let old = unsafe { state.receivers.enqueue_of_select(waiter.as_ref(), context.waker().clone(), commit) };
        drop(state);
        drop(old);
        Look::MustWait
    }

    fn give_up(self: Pin<&mut Self>) {
        // If the select was cut short in the moment after it had been chosen, the message goes on.
        let (channel, waiter, _) = self.parts();
        channel.give_up_recv(waiter);
    }

    fn waiter(&self) -> Option<usize> {
        Some(self.waiter.address())
    }

    fn finish(self: Pin<&mut Self>) {
        let (channel, mut waiter, output) = self.parts();
        if !waiter.is_served() {
            // Whoever has chosen it still holds the lock.
            drop(channel.lock());
        }
        *output = Some(waiter.as_mut().slot().take().ok_or(RecvError));
    }
}

impl<T> Branch for SendBranch<'_, T> {
    fn look(self: Pin<&mut Self>, _: &mut Context<'_>) -> Look {
        let (channel, waiter, output) = self.parts();
        let mut state = channel.lock();
        if !state.is_closed && !state.has_room(channel.capacity) {
            return Look::MustWait;
        }
        let message = waiter.slot().take().expect("a select completes a send once");
        if state.is_closed {
            drop(state);
            *output = Some(Err(SendError(message)));
            return Look::Ready;
        }
        let waker = state.put(message, VecDeque::push_back);
        drop(state);
        wake(waker);
        *output = Some(Ok(()));
        Look::Ready
    }

    unsafe fn queue(self: Pin<&mut Self>, commit: &Commit, context: &mut Context<'_>) -> Look {
        let (channel, waiter, _) = self.parts();
        let mut state = channel.lock();
        let has_room = channel.capacity.is_none_or(|capacity| state.messages.len() < capacity);
        if state.is_closed || has_room || state.receivers.may_serve(commit) {
            return Look::Ready;
        }
        // SAFETY: as in `RecvBranch::queue`.
        let old = unsafe { state.senders.enqueue_of_select(waiter.as_ref(), context.waker().clone(), commit) };
        drop(state);
        drop(old);
        Look::MustWait
    }

    fn give_up(self: Pin<&mut Self>) {
        let (channel, waiter, _) = self.parts();
        channel.give_up_send(waiter.as_ref());
    }

    fn waiter(&self) -> Option<usize> {
        Some(self.waiter.address())
    }

    fn finish(self: Pin<&mut Self>) {
        let (channel, mut waiter, output) = self.parts();
        if !waiter.is_served() {
            // As in `RecvBranch::finish`.
            drop(channel.lock());
        }
        *output = Some(waiter.as_mut().slot().take().map_or(Ok(()), |message| Err(SendError(message))));
    }
}
