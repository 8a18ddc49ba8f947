//! A receiver as a `Stream`.

use super::future::Receiving;
use super::shared::Channel;
use super::{Receiver, RecvError};
use crate::wait::operation::{Operation, Waiting};
use crate::wait::queue::Waiter;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;

/// Made by [`Receiver::stream`].
#[must_use = "a stream does nothing until it is polled"]
pub struct RecvStream<'a, T> {
    channel: &'a Channel<T>,
    next: Waiting<Receiving<'a, T>>,
}

impl<'a, T> RecvStream<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { channel: &receiver.channel, next: Waiting::new(Receiving(&receiver.channel), None) }
    }
}

impl<T> Stream for RecvStream<'_, T> {
    type Item = T;

    #[inline(never)]
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // SAFETY: `next` is structurally pinned.
        let next = unsafe { self.map_unchecked_mut(|stream| &mut stream.next) };
        next.poll(context).map(Result::ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.channel.lock().messages.len(), None)
    }
}

impl<T> fmt::Debug for RecvStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvStream").field(&self.next).finish()
    }
}

/// Receives for a stream that owns its receiver.
struct Owned<T>(Receiver<T>);

impl<T> Operation for Owned<T> {
    type Slot = Option<T>;
    type Output = Result<T, RecvError>;

    fn poll(&self, waiter: Pin<&mut Waiter<Option<T>>>, context: &Context<'_>) -> Poll<Self::Output> {
        self.0.channel.poll_recv(waiter, context)
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<Option<T>>>) {
        self.0.channel.give_up_recv(waiter);
    }
}

/// Made by [`Receiver::into_stream`].
///
/// # Examples
/// ```
/// use futures_core::Stream as _;
/// use std::pin::pin;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (sender, receiver) = greenbridge_runtime::sync::channel::bounded(1);
/// let producer = greenbridge_runtime::spawn(move || (1..=3).try_for_each(|n| sender.send(n)));
/// let mut stream = pin!(receiver.into_stream());
/// let mut next = || greenbridge_runtime::block_on(std::future::poll_fn(|context| stream.as_mut().poll_next(context)));
/// assert_eq!([next(), next(), next(), next()], [Some(1), Some(2), Some(3), None]);
/// # assert!(producer.join().is_ok());
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[must_use = "a stream does nothing until it is polled"]
pub struct IntoStream<T>(Waiting<Owned<T>>);

impl<T> IntoStream<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self(Waiting::new(Owned(receiver), None))
    }
}

impl<T> Stream for IntoStream<T> {
    type Item = T;

    #[inline(never)]
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // SAFETY: the one field is structurally pinned.
        let next = unsafe { self.map_unchecked_mut(|stream| &mut stream.0) };
        next.poll(context).map(Result::ok)
    }
}

impl<T> fmt::Debug for IntoStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoStream").field(&self.0).finish()
    }
}
