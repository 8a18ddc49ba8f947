//! A channel for many senders and many receivers.
//!
//! It is bounded, with room for any number of messages from 0 up, or unbounded. With room for 0 a send waits until a receiver has
//! taken the message. Every operation may be used from a green thread, from a callback inside a C call, from an OS thread, and
//! (the `_async` forms) from a future of any executor.
//!
//! The channel is closed by [`close`](Sender::close), or when the last sender or the last receiver is gone. Then sends fail, and
//! receivers get what is still in it, and after that an error. What nobody can receive any more is dropped with the last receiver.
//!
//! For one message there is [`oneshot`](super::oneshot), for messages that every receiver gets [`broadcast`](super::broadcast), and
//! where only the latest value counts [`watch`](super::watch).
//!
//! # Fairness, cancellation, panics
//! Messages keep their order; waiting senders and receivers are served in the order in which they came, and nobody overtakes them. A wait
//! that is cancelled, given up or too late has taken nothing and sent nothing; a message that had been handed to it goes to the
//! next receiver, or back to the front, where for a moment it may be one more than the capacity. Messages and wakers are never dropped, nor
//! wakers called, under the channel's lock, so a panic in one of them leaves the channel as it was.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::channel;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (sender, receiver) = channel::bounded(2);
//! let producer = greenbridge_runtime::spawn(move || (1..=4).try_for_each(|n| sender.send(n)));
//! assert_eq!(receiver.iter().sum::<i32>(), 10);
//! assert!(matches!(producer.join(), Ok(Ok(()))));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

pub(crate) mod branch;
mod error;
mod future;
mod iter;
mod shared;
#[cfg(feature = "stream")]
mod stream;

pub use error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use future::{RecvFuture, SendFuture};
pub use iter::{IntoIter, Iter, TryIter};
pub(super) use shared::wake_all;
#[cfg(feature = "stream")]
pub use stream::{IntoStream, RecvStream};

use crate::cancel::Cancelled;
use crate::driver::clock;
use crate::wait::What;
use crate::wait::operation::{Waiting, wait_for, wait_for_until};
use core::cell::Cell;
use core::fmt;
use future::{Receiving, Sending, SendingUntil};
use shared::Channel;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a channel with room for `capacity` messages.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(Some(capacity))
}

/// Makes a channel that always has room.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    make(None)
}

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    (Sender { channel: Arc::clone(&channel) }, Receiver { channel })
}

/// The sending side. Clones send to the same channel.
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends `message`, and waits for room first.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// With the message, if the channel is closed.
    ///
    /// # Cancellation
    /// A green thread that is cancelled while it waits has not sent; the message is dropped.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        let message = match self.channel.try_send(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(message)) => return Err(SendError(message)),
            Err(TrySendError::Full(message)) => message,
        };
        let unsent = Cell::new(None);
        let sending = SendingUntil { channel: &self.channel, unsent: &unsent };
        catch_unwind(AssertUnwindSafe(|| wait_for(What::Room, sending, Some(message)))).unwrap_or_else(|payload| {
            if payload.is::<Cancelled>() && unsent.take().is_none() {
                // Cut short at the moment when a receiver took it: it is sent, and the next wait is the one that is cut short.
                return Ok(());
            }
            resume_unwind(payload)
        })
    }

    /// Sends `message` if there is room before `timeout` has passed.
    ///
    /// # Blocking
    /// As [`send`](Self::send), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// With the message, if the time has passed, or the channel is closed.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::channel::{self, SendTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(sender.send_timeout("first", Duration::from_millis(1)), Ok(()));
    /// assert_eq!(sender.send_timeout("second", Duration::from_millis(1)), Err(SendTimeoutError::Timeout("second")));
    /// # drop(receiver);
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, clock::deadline_after(timeout))
    }

    /// Sends `message` if there is room before `deadline`.
    ///
    /// # Blocking
    /// As [`send`](Self::send), and not after `deadline`.
    ///
    /// # Errors
    /// With the message, if the deadline has passed, or the channel is closed.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    #[inline(never)]
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Some(deadline))
    }

    #[track_caller]
    fn send_until(&self, message: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        let message = match self.channel.try_send(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(message)) => return Err(SendTimeoutError::Closed(message)),
            Err(TrySendError::Full(message)) => message,
        };
        let unsent = Cell::new(None);
        let sending = SendingUntil { channel: &self.channel, unsent: &unsent };
        match wait_for_until(What::Room, deadline, sending, Some(message)) {
            Some(sent) => sent.map_err(|SendError(message)| SendTimeoutError::Closed(message)),
            // Without its message it has been sent at the last moment.
            None => unsent.take().map_or(Ok(()), |message| Err(SendTimeoutError::Timeout(message))),
        }
    }

    /// Sends `message` if that needs no wait.
    ///
    /// # Errors
    /// With the message, if there is no room, or the channel is closed.
    #[inline(never)]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(message)
    }

    /// As [`send`](Self::send), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has not sent, and drops the message.
    pub fn send_async(&self, message: T) -> SendFuture<'_, T> {
        SendFuture(Waiting::new(Sending(&self.channel), Some(message)))
    }

    /// Closes the channel. False: it was closed already.
    pub fn close(&self) -> bool {
        self.channel.close()
    }
}

/// The receiving side. Clones receive from the same channel, each message once.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Receiver<T> {
    /// Receives a message, and waits for one first.
    ///
    /// # Blocking
    /// As [`Sender::send`].
    ///
    /// # Errors
    /// If the channel is closed and empty.
    ///
    /// # Cancellation
    /// A green thread that is cancelled while it waits has taken nothing.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        wait_for(What::Message, Receiving(&self.channel), None)
    }

    /// Receives a message if one comes before `timeout` has passed.
    ///
    /// # Blocking
    /// As [`recv`](Self::recv), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// If the time has passed, or the channel is closed and empty. Then nothing has been taken.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::channel::{self, RecvTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = channel::bounded::<i32>(1);
    /// assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(Duration::from_secs(3600)), Err(RecvTimeoutError::Closed));
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(clock::deadline_after(timeout))
    }

    /// Receives a message if one comes before `deadline`.
    ///
    /// # Blocking
    /// As [`recv`](Self::recv), and not after `deadline`.
    ///
    /// # Errors
    /// If the deadline has passed, or the channel is closed and empty. Then nothing has been taken.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    #[inline(never)]
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[track_caller]
    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match wait_for_until(What::Message, deadline, Receiving(&self.channel), None) {
            Some(received) => received.map_err(|RecvError| RecvTimeoutError::Closed),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    /// If there is none; the error says whether there may yet be one.
    #[inline(never)]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.try_recv()
    }

    /// As [`recv`](Self::recv), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has taken nothing.
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture(Waiting::new(Receiving(&self.channel), None))
    }

    /// Closes the channel. False: it was closed already. What is in it can still be received.
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// The messages as a [`Stream`](futures_core::Stream) that ends when the channel is closed and empty.
    ///
    /// # Cancellation
    /// It may be dropped at any time; what it had been handed goes to another receiver.
    #[cfg(feature = "stream")]
    pub fn stream(&self) -> RecvStream<'_, T> {
        RecvStream::new(self)
    }

    /// The same, with the receiver in it.
    #[cfg(feature = "stream")]
    pub fn into_stream(self) -> IntoStream<T> {
        IntoStream::new(self)
    }

    /// Receives until the channel is closed and empty.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Receives what is there, and never waits.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }
}

/// What both sides can ask.
macro_rules! both_sides {
    ($($side:ident adds by $add:ident releases by $release:ident),*) => { $(
        impl<T> $side<T> {
            /// Whether the channel is closed.
            pub fn is_closed(&self) -> bool {
                self.channel.lock().is_closed
            }

            /// How many messages are in the channel.
            pub fn len(&self) -> usize {
                self.channel.lock().messages.len()
            }

            /// Whether no message is in the channel.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether a send would have to wait, as no receiver does. One with room for 0 is always full, an unbounded one never.
            pub fn is_full(&self) -> bool {
                self.channel.capacity.is_some_and(|capacity| self.len() >= capacity)
            }

            /// Whether both are handles of one channel.
            pub fn same_channel(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.channel, &other.channel)
            }

            /// For how many messages it has room in all; None if it is unbounded.
            pub fn capacity(&self) -> Option<usize> {
                self.channel.capacity
            }
        }

        impl<T> Clone for $side<T> {
            fn clone(&self) -> Self {
                self.channel.$add();
                Self { channel: Arc::clone(&self.channel) }
            }
        }

        impl<T> Drop for $side<T> {
            fn drop(&mut self) {
                self.channel.$release();
            }
        }

        impl<T> fmt::Debug for $side<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let state = self.channel.lock();
                f.debug_struct(stringify!($side))
                    .field("len", &state.messages.len())
                    .field("capacity", &self.channel.capacity)
                    .field("is_closed", &state.is_closed)
                    .finish()
            }
        }
    )* };
}
both_sides!(
    Sender adds by add_sender releases by release_sender,
    Receiver adds by add_receiver releases by release_receiver
);
