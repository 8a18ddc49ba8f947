//! A channel for many senders and many receivers.
//!
//! It is bounded, with room for any number of messages from 0 up, or unbounded. With room for 0 a send waits until a receiver has
//! taken the message. Every operation may be used from a green thread, from a callback inside a C call, from an OS thread, and
//! (the `_async` forms) from a future of any executor.
//!
//! The channel is closed by [`close`](Sender::close), or when the last sender or the last receiver is gone. Then sends fail, and
//! receivers get what is still in it, and after that an error.
//!
//! Messages keep their order, and receivers are served in the order in which they came.
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
mod iter;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use iter::{IntoIter, Iter, TryIter};

use crate::primitive::{AtomicUsize, Mutex, MutexGuard, Ordering, lock_briefly};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use crate::wait::{What, wait};
use core::fmt;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;
use std::sync::Arc;

/// Makes a channel with room for `capacity` messages.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(Some(capacity))
}

/// Makes a channel that always has room.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    make(None)
}

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        state: CachePadded::new(Mutex::new(State {
            messages: VecDeque::new(),
            senders: WaitQueue::new(),
            is_closed: false,
            receivers: WaitQueue::new(),
        })),
        capacity,
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (Sender { channel: Arc::clone(&channel) }, Receiver { channel })
}

struct Channel<T> {
    /// On cache lines of its own: the lock, and what a receive touches beside it, lie on one.
    state: CachePadded<Mutex<State<T>>>,
    /// None: unbounded.
    capacity: Option<usize>,
    /// Handles alive.
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// What the lock protects. A sender waits only while there is no room, a receiver only while there is no message.
#[repr(C)]
struct State<T> {
    messages: VecDeque<T>,
    /// The slot holds the message, and is empty when it has been taken.
    senders: WaitQueue<Option<T>>,
    is_closed: bool,
    /// The slot is filled with a message, or stays empty when the channel is closed.
    receivers: WaitQueue<Option<T>>,
}

impl<T> State<T> {
    /// Takes the next message, and lets the first waiting sender in. The waker, if any, is woken after the lock is released.
    #[inline]
    fn take(&mut self) -> Option<(T, Option<Waker>)> {
        let message = self.messages.pop_front();
        if !self.senders.claim() {
            return message.map(|message| (message, None));
        }
        let (sent, waker) = self.senders.serve(Option::take)?;
        let sent = sent.expect("a waiting sender has its message");
        let first = match message {
            Some(first) => {
                self.messages.push_back(sent);
                first
            }
            None => sent,
        };
        Some((first, Some(waker)))
    }

    /// Passes a message to a waiting receiver, or keeps it.
    #[inline]
    fn put(&mut self, message: T, place: impl FnOnce(&mut VecDeque<T>, T)) -> Option<Waker> {
        if !self.receivers.claim() {
            place(&mut self.messages, message);
            return None;
        }
        let served = self.receivers.serve(|slot| *slot = Some(message));
        served.map(|((), waker)| waker)
    }
}

impl<T> Channel<T> {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock_briefly(&self.state)
    }

    /// Closes the channel, and lets everybody who waits go.
    fn close(&self) -> bool {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        state.is_closed = true;
        // A waiter that is served with its slot as it is has met the close: a sender keeps its message, a receiver gets none.
        while let Some(((), waker)) = state.senders.serve(|_| ()) {
            wakers.push(waker);
        }
        while let Some(((), waker)) = state.receivers.serve(|_| ()) {
            wakers.push(waker);
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(TrySendError::Closed(message));
        }
        let has_room = self.capacity.is_none_or(|capacity| state.messages.len() < capacity);
        if !has_room && !state.receivers.claim() {
            return Err(TrySendError::Full(message));
        }
        let waker = state.put(message, VecDeque::push_back);
        drop(state);
        wake(waker);
        Ok(())
    }

    #[inline]
    fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.lock();
        let Some((message, waker)) = state.take() else {
            return Err(if state.is_closed { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        drop(state);
        wake(waker);
        Ok(message)
    }

    /// Sends the message in the waiter's slot, or leaves it there and queues.
    fn poll_send(
        &self,
        mut waiter: Pin<&mut Waiter<Option<T>>>,
        context: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        if waiter.is_served() {
            return Poll::Ready(waiter.as_mut().slot().take().map_or(Ok(()), |message| Err(SendError(message))));
        }
        let mut state = self.lock();
        if waiter.is_queued() {
            let old = state.senders.rewake(waiter.as_ref(), context.waker().clone());
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        if waiter.is_served() {
            drop(state);
            return self.poll_send(waiter, context);
        }
        let has_room = self.capacity.is_none_or(|capacity| state.messages.len() < capacity);
        if state.is_closed || has_room || state.receivers.claim() {
            let message = waiter.as_mut().slot().take().expect("a send was polled after it was done");
            if state.is_closed {
                return Poll::Ready(Err(SendError(message)));
            }
            let waker = state.put(message, VecDeque::push_back);
            drop(state);
            wake(waker);
            return Poll::Ready(Ok(()));
        }
        // SAFETY: 1. not queued, seen under the lock; 2. pinned by its owner, who gives up before it drops it; 3. the channel's lock.
        let old = unsafe { state.senders.enqueue(waiter.as_ref(), context.waker().clone()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Receives into the caller, or queues.
    #[inline]
    fn poll_recv(&self, mut waiter: Pin<&mut Waiter<Option<T>>>, context: &Context<'_>) -> Poll<Result<T, RecvError>> {
        if waiter.is_served() {
            let received = waiter.as_mut().slot().take();
            waiter.reset();
            return Poll::Ready(received.ok_or(RecvError));
        }
        let mut state = self.lock();
        if waiter.is_queued() {
            let old = state.receivers.rewake(waiter.as_ref(), context.waker().clone());
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        if waiter.is_served() {
            drop(state);
            return self.poll_recv(waiter, context);
        }
        if let Some((message, waker)) = state.take() {
            drop(state);
            wake(waker);
            return Poll::Ready(Ok(message));
        }
        if state.is_closed {
            return Poll::Ready(Err(RecvError));
        }
        // SAFETY: as in `poll_send`.
        let old = unsafe { state.receivers.enqueue(waiter.as_ref(), context.waker().clone()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// A send is given up: the message has been sent, or is dropped with the waiter.
    fn give_up_send(&self, waiter: Pin<&Waiter<Option<T>>>) {
        if waiter.is_queued() {
            let _ = self.lock().senders.give_up(waiter);
        }
    }

    /// A receive is given up: a message that had been handed to it goes to the next receiver, or back to the front.
    fn give_up_recv(&self, mut waiter: Pin<&mut Waiter<Option<T>>>) {
        if waiter.is_queued() && self.lock().receivers.give_up(waiter.as_ref()) == GaveUp::InTime {
            return;
        }
        if waiter.is_served()
            && let Some(message) = waiter.as_mut().slot().take()
        {
            let waker = self.lock().put(message, VecDeque::push_front);
            wake(waker);
        }
    }
}

/// Wakes outside the lock.
#[inline]
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Gives up when it is dropped, so that a queued waiter never goes away.
struct Sending<'a, T> {
    channel: &'a Channel<T>,
    waiter: Waiter<Option<T>>,
}

impl<T> Sending<'_, T> {
    fn poll(self: Pin<&mut Self>, context: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        // SAFETY: `waiter` is structurally pinned: it is moved nowhere, and `Drop` treats it as pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        this.channel.poll_send(unsafe { Pin::new_unchecked(&mut this.waiter) }, context)
    }
}

impl<T> Drop for Sending<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: pinned since it was first polled, and not moved in here.
        self.channel.give_up_send(unsafe { Pin::new_unchecked(&self.waiter) });
    }
}

struct Receiving<'a, T> {
    channel: &'a Channel<T>,
    waiter: Waiter<Option<T>>,
}

impl<T> Receiving<'_, T> {
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &Context<'_>) -> Poll<Result<T, RecvError>> {
        // SAFETY: as in `Sending::poll`.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        this.channel.poll_recv(unsafe { Pin::new_unchecked(&mut this.waiter) }, context)
    }
}

impl<T> Drop for Receiving<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: pinned since it was first polled, and not moved in here.
        self.channel.give_up_recv(unsafe { Pin::new_unchecked(&mut self.waiter) });
    }
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
        let mut sending = pin!(Sending { channel: &self.channel, waiter: Waiter::new(Some(message)) });
        wait(What::Room, |context| sending.as_mut().poll(context))
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
        SendFuture(Sending { channel: &self.channel, waiter: Waiter::new(Some(message)) })
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
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let mut receiving = pin!(Receiving { channel: &self.channel, waiter: Waiter::new(None) });
        wait(What::Message, |context| receiving.as_mut().poll(context))
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
        RecvFuture(Receiving { channel: &self.channel, waiter: Waiter::new(None) })
    }

    /// Closes the channel. False: it was closed already. What is in it can still be received.
    pub fn close(&self) -> bool {
        self.channel.close()
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
    ($($side:ident counts $count:ident),*) => { $(
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

            /// For how many messages it has room in all; None if it is unbounded.
            pub fn capacity(&self) -> Option<usize> {
                self.channel.capacity
            }
        }

        impl<T> Clone for $side<T> {
            fn clone(&self) -> Self {
                self.channel.$count.fetch_add(1, Ordering::Relaxed);
                Self { channel: Arc::clone(&self.channel) }
            }
        }

        impl<T> Drop for $side<T> {
            fn drop(&mut self) {
                // The last handle of a side closes; the lock orders what came before.
                if self.channel.$count.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.channel.close();
                }
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
both_sides!(Sender counts senders, Receiver counts receivers);

/// Made by [`Sender::send_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct SendFuture<'a, T>(Sending<'a, T>);

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

/// Made by [`Receiver::recv_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct RecvFuture<'a, T>(Receiving<'a, T>);

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
        f.debug_tuple("SendFuture").field(&self.0.waiter).finish()
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(&self.0.waiter).finish()
    }
}
