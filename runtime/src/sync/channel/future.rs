//! Sending and receiving as operations, and as futures.

use super::shared::Channel;
use super::{RecvError, SendError};
use crate::wait::operation::{Operation, Waiting};
use crate::wait::queue::Waiter;
use core::cell::Cell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Sends the message in the slot. Given up, it leaves there what it has not sent.
pub(super) struct Sending<'a, T>(pub(super) &'a Channel<T>);

impl<T> Operation for Sending<'_, T> {
    type Slot = Option<T>;
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(&self, waiter: Pin<&mut Waiter<Option<T>>>, context: &Context<'_>) -> Poll<Self::Output> {
        self.0.poll_send(waiter, context)
    }

    #[inline]
    fn give_up(&self, waiter: Pin<&mut Waiter<Option<T>>>) {
        self.0.give_up_send(waiter.as_ref());
    }
}

/// The same for one who wants the message back.
pub(super) struct SendingUntil<'a, T> {
    pub(super) channel: &'a Channel<T>,
    pub(super) unsent: &'a Cell<Option<T>>,
}

impl<T> Operation for SendingUntil<'_, T> {
    type Slot = Option<T>;
    type Output = Result<(), SendError<T>>;

    fn poll(&self, waiter: Pin<&mut Waiter<Option<T>>>, context: &Context<'_>) -> Poll<Self::Output> {
        self.channel.poll_send(waiter, context)
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<Option<T>>>) {
        self.channel.give_up_send(waiter.as_ref());
        self.unsent.set(waiter.slot().take());
    }
}

pub(super) struct Receiving<'a, T>(pub(super) &'a Channel<T>);

impl<T> Operation for Receiving<'_, T> {
    type Slot = Option<T>;
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(&self, waiter: Pin<&mut Waiter<Option<T>>>, context: &Context<'_>) -> Poll<Self::Output> {
        self.0.poll_recv(waiter, context)
    }

    #[inline]
    fn give_up(&self, waiter: Pin<&mut Waiter<Option<T>>>) {
        self.0.give_up_recv(waiter);
    }
}

/// Made by [`Sender::send_async`](super::Sender::send_async).
#[must_use = "a future does nothing until it is polled"]
pub struct SendFuture<'a, T>(pub(super) Waiting<Sending<'a, T>>);

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

/// Made by [`Receiver::recv_async`](super::Receiver::recv_async).
#[must_use = "a future does nothing until it is polled"]
pub struct RecvFuture<'a, T>(pub(super) Waiting<Receiving<'a, T>>);

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendFuture").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(&self.0).finish()
    }
}
