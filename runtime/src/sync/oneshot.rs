//! A channel for one message.
//!
//! For an answer: the sender is used up by its one send, the receiver is a future as well. It is one small allocation; where several
//! messages may come, take a [`channel`](super::channel), and where the answer is a green thread's result, its
//! [`JoinHandle`](crate::JoinHandle) will do.
//!
//! Either side learns that the other is gone: a send then returns its message, a receive an error.
//!
//! # Cancellation, panics
//! A receive that is cancelled, given up or too late has taken nothing: the message can still be received. No message or waker is
//! dropped, nor a waker called, under the lock.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::oneshot;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (answer, receiver) = oneshot::channel();
//! greenbridge_runtime::spawn(move || answer.send(42));
//! assert_eq!(receiver.recv(), Ok(42));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use super::channel::{RecvError, RecvTimeoutError, TryRecvError};
use crate::driver::clock;
use crate::primitive::{Mutex, lock_briefly};
use crate::wait::{What, wait, wait_until};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a channel for one message.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { message: None, has_sender: true, has_receiver: true, sender: None, receiver: None };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (Sender { shared: Some(Arc::clone(&shared)) }, Receiver { shared })
}

struct Shared<T>(Mutex<State<T>>);

/// What the lock protects. One waits on each side at most, so their wakers need no queue.
struct State<T> {
    message: Option<T>,
    /// A message may still come.
    has_sender: bool,
    /// A message will be received.
    has_receiver: bool,
    /// Whom to wake when there is no receiver any more.
    sender: Option<Waker>,
    /// Whom to wake for the message, or when there is no sender any more.
    receiver: Option<Waker>,
}

impl<T> Shared<T> {
    /// The sender is gone, with or without having left a message: returns the message if nobody will receive it.
    fn send(&self, message: Option<T>) -> Result<(), Option<T>> {
        let mut state = lock_briefly(&self.0);
        state.has_sender = false;
        let sender = state.sender.take();
        let sent = if state.has_receiver {
            state.message = message;
            Ok(())
        } else {
            Err(message)
        };
        let receiver = state.receiver.take();
        drop(state);
        drop(sender);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        sent
    }

    fn poll_recv(&self, context: &Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut state = lock_briefly(&self.0);
        if let Some(message) = state.message.take() {
            return Poll::Ready(Ok(message));
        }
        if !state.has_sender || !state.has_receiver {
            return Poll::Ready(Err(RecvError));
        }
        let old = state.receiver.replace(context.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn poll_closed(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = lock_briefly(&self.0);
        if !state.has_receiver {
            return Poll::Ready(());
        }
        let old = state.sender.replace(context.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Nothing more is sent.
    fn close(&self) {
        let mut state = lock_briefly(&self.0);
        state.has_receiver = false;
        let (sender, receiver) = (state.sender.take(), state.receiver.take());
        drop(state);
        drop(receiver);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}

/// The sending side.
pub struct Sender<T> {
    /// None: it has sent.
    shared: Option<Arc<Shared<T>>>,
}

impl<T> Sender<T> {
    /// Sends the message. It never waits.
    ///
    /// # Errors
    /// With the message, if the receiver is gone or has closed.
    pub fn send(mut self, message: T) -> Result<(), T> {
        match self.shared.take() {
            Some(shared) => shared.send(Some(message)).map_err(|unsent| unsent.expect("a message was given")),
            None => Err(message),
        }
    }

    /// Whether a send would fail: the receiver is gone or has closed.
    pub fn is_closed(&self) -> bool {
        !lock_briefly(&self.shared().0).has_receiver
    }

    /// Waits until the receiver is gone or closes: nobody needs the message any more.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn closed(&mut self) {
        wait(What::Close, |context| self.shared().poll_closed(context));
    }

    /// As [`closed`](Self::closed), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub fn closed_async(&mut self) -> ClosedFuture<'_, T> {
        ClosedFuture(self)
    }

    fn shared(&self) -> &Shared<T> {
        self.shared.as_deref().expect("a sender has not sent")
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            // No message, so none comes back.
            let _ = shared.send(None);
        }
    }
}

/// The receiving side, and a future of the message.
#[must_use = "the sender is told that nobody receives when it is dropped"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Waits for the message.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// If the sender is gone and has sent nothing, or the message has been received before.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        wait(What::Message, |context| self.shared.poll_recv(context))
    }

    /// Waits for the message until `timeout` has passed.
    ///
    /// # Blocking
    /// As [`recv`](Self::recv), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and if the time has passed. The message can then still be received.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    #[inline(never)]
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(clock::deadline_after(timeout))
    }

    /// Waits for the message until `deadline`.
    ///
    /// # Blocking
    /// As [`recv`](Self::recv), and not after `deadline`.
    ///
    /// # Errors
    /// As [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    #[inline(never)]
    #[track_caller]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[track_caller]
    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match wait_until(What::Message, deadline, |context| self.shared.poll_recv(context)) {
            Some(received) => received.map_err(|RecvError| RecvTimeoutError::Closed),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// The message, if it is there.
    ///
    /// # Errors
    /// If it is not; the error says whether it may yet come.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut state = lock_briefly(&self.shared.0);
        match state.message.take() {
            Some(message) => Ok(message),
            None if state.has_sender && state.has_receiver => Err(TryRecvError::Empty),
            None => Err(TryRecvError::Closed),
        }
    }

    /// Nothing more is sent. A message that has been sent can still be received.
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.shared.poll_recv(context)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.close();
        let message = lock_briefly(&self.shared.0).message.take();
        drop(message);
    }
}

/// Made by [`Sender::closed_async`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct ClosedFuture<'a, T>(&'a mut Sender<T>);

impl<T> Future for ClosedFuture<'_, T> {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.shared().poll_closed(context)
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock_briefly(&self.shared.0);
        f.debug_struct("Receiver")
            .field("has_message", &state.message.is_some())
            .field("has_sender", &state.has_sender)
            .finish_non_exhaustive()
    }
}
