//! What the two sides of a channel share: how messages, waiters, the close and those who give up meet.
//!
//! One lock protects all of it. A channel is *open*, and then *closed* for good:
//!
//! ```text
//!   Mutex { messages: [m, m, ..]   senders: who waits for room, with its message   receivers: who waits, with an empty slot }
//! ```
//!
//! | transition | who | under the lock |
//! |---|---|---|
//! | [`Channel::poll_send`], [`Channel::try_send`] | a sender | to the first receiver that waits, or into `messages`, or it queues with its message |
//! | [`Channel::poll_recv`], [`Channel::try_recv`] | a receiver | the first message, and the first sender that waits is let in; or it queues |
//! | [`Channel::close`] | anyone, once | both queues are emptied: a sender is served *with* its message in the slot, a receiver *without* one |
//! | [`Channel::give_up_recv`] | a receiver whose future is dropped | leaves the queue, or passes on what it was served with |
//! | [`Channel::release_receiver`] | the last receiver | closes, and takes what is left, to drop it without the lock |
//!
//! # Property
//! 1. A message whose send has returned `Ok` is received once, or was there when the last receiver went.
//! 2. A message whose send has failed comes back, and is not received.
//! 3. Whoever waits is woken by the message, the room or the close, whichever comes first; nobody waits in a closed channel.
//! 4. A receiver that gives up takes nothing with it.
//!
//! # Proof
//! A sender waits only while there is no room, a receiver only while there is no message: looking and queueing are one critical section,
//! and whoever makes room or a message serves in the critical section that does. So at each release of the lock either nobody waits, or
//! one of the queues is not empty and the other is. Call *Close* the critical section that sets `is_closed`. A send before *Close* has
//! left its message in `messages`, in a receiver's slot, or in its own, where *Close* leaves it: the sender sees in its slot which. A send
//! after *Close* fails. A receiver looks at `messages` before it looks at `is_closed`. So (1), (2), and (3), as *Close* empties the queues and
//! nobody queues after it. (4): `give_up` says under the lock whether the receiver has been served; if so, its message goes to the next
//! one, or to the front, being older than all that are there; also after *Close*, so a receiver finds it.
//!
//! # What it must never do
//! Wake or drop a waker, or drop a message, under the lock.
//!
//! Model: `tests/models/tests/channel.rs`; its mutants: `tests/models/mutants/channel.rs`.

use crate::primitive::{AtomicUsize, Mutex, MutexGuard, Ordering, lock_briefly};
use crate::sync::channel::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

/// On cache lines of its own: the lock, and what a receive touches beside it, lie on the first, what a send touches on the second.
#[repr(C, align(128))]
pub(super) struct Channel<T> {
    state: Mutex<State<T>>,
    /// None: unbounded.
    pub(super) capacity: Option<usize>,
    /// Handles alive.
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// What the lock protects.
#[repr(C)]
pub(super) struct State<T> {
    pub(super) messages: VecDeque<T>,
    /// The slot holds the message, and is empty when it has been taken.
    pub(super) senders: WaitQueue<Option<T>>,
    pub(super) is_closed: bool,
    /// The slot is filled with a message, or stays empty when the channel is closed.
    pub(super) receivers: WaitQueue<Option<T>>,
}

impl<T> State<T> {
    /// Takes the next message, and lets the first waiting sender in. The waker, if any, is woken after the lock is released.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(T, Option<Waker>)> {
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
    pub(super) fn put(&mut self, message: T, place: impl FnOnce(&mut VecDeque<T>, T)) -> Option<Waker> {
        if !self.receivers.claim() {
            place(&mut self.messages, message);
            return None;
        }
        let served = self.receivers.serve(|slot| *slot = Some(message));
        served.map(|((), waker)| waker)
    }

    /// Whether a message can be put. If so, the caller puts one, unless the channel is closed: a select may have been won for it.
    #[inline]
    pub(super) fn has_room(&mut self, capacity: Option<usize>) -> bool {
        capacity.is_none_or(|capacity| self.messages.len() < capacity) || self.receivers.claim()
    }
}

impl<T> Channel<T> {
    /// An open channel with one handle on each side.
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            state: Mutex::new(State {
                messages: VecDeque::new(),
                senders: WaitQueue::new(),
                is_closed: false,
                receivers: WaitQueue::new(),
            }),
            capacity,
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock_briefly(&self.state)
    }

    pub(super) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_receiver(&self) {
        self.receivers.fetch_add(1, Ordering::Relaxed);
    }

    /// A sender is gone; the last one closes. The lock orders what came before.
    pub(super) fn release_sender(&self) {
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close();
        }
    }

    /// A receiver is gone; the last one closes, and what nobody can receive any more goes with it.
    pub(super) fn release_receiver(&self) {
        if self.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close();
            let left = mem::take(&mut self.lock().messages);
            drop(left);
        }
    }

    /// Closes the channel, and lets everybody who waits go.
    pub(super) fn close(&self) -> bool {
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

    /// Inlined into the few who call it: a call more is a tenth of a send.
    #[inline(always)]
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(TrySendError::Closed(message));
        }
        if !state.has_room(self.capacity) {
            return Err(TrySendError::Full(message));
        }
        let waker = state.put(message, VecDeque::push_back);
        drop(state);
        wake(waker);
        Ok(())
    }

    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.lock();
        let Some((message, waker)) = state.take() else {
            return Err(if state.is_closed { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        drop(state);
        wake(waker);
        Ok(message)
    }

    /// Sends the message in the waiter's slot, or leaves it there and queues.
    pub(super) fn poll_send(
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
        if state.is_closed || state.has_room(self.capacity) {
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

    /// Receives into the caller, or queues. Once it has been ready, the waiter can be used again.
    #[inline]
    pub(super) fn poll_recv(
        &self,
        mut waiter: Pin<&mut Waiter<Option<T>>>,
        context: &Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
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

    /// A send is given up: the message has been sent, or is still in the slot.
    #[inline]
    pub(super) fn give_up_send(&self, waiter: Pin<&Waiter<Option<T>>>) {
        if waiter.is_queued() {
            let _ = self.lock().senders.give_up(waiter);
        }
    }

    /// A receive is given up: a message that had been handed to it goes to the next receiver, or back to the front.
    #[inline]
    pub(super) fn give_up_recv(&self, mut waiter: Pin<&mut Waiter<Option<T>>>) {
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

/// Serves everybody who waits in a queue without slots, and wakes them outside the lock.
pub(crate) fn wake_all<S>(mut state: MutexGuard<'_, S>, queue: impl FnOnce(&mut S) -> &mut WaitQueue<()>) {
    let mut wakers = Vec::new();
    let queue = queue(&mut state);
    while let Some(((), waker)) = queue.serve(|()| ()) {
        wakers.push(waker);
    }
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// Wakes outside the lock.
#[inline]
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
