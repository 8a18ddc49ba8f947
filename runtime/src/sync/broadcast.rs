//! A channel in which every receiver gets every message.
//!
//! A receiver gets the messages that are sent after it subscribed, in their order. The channel keeps the last `capacity` messages that
//! somebody has yet to get; a send never waits. A receiver that falls further behind loses the oldest, and is told how many: it has
//! *lagged*. Where each message is for one receiver, take a [`channel`](super::channel); where only the latest counts,
//! [`watch`](super::watch).
//!
//! A message is kept once, in an `Arc`. Each receiver gets a clone, and the last one the message itself.
//!
//! # Fairness, cancellation, panics
//! Every send wakes all receivers that wait. A receive that is cancelled, given up or too late has taken nothing. Messages are cloned and
//! dropped, and wakers called, outside the channel's lock; if a clone panics, that receiver has lost that message.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::broadcast::{self, RecvError};
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (sender, mut first) = broadcast::channel(2);
//! let mut second = sender.subscribe();
//! let reader = greenbridge_runtime::spawn(move || first.recv());
//! assert_eq!(sender.send("one"), Ok(2));
//! assert_eq!(reader.join().ok(), Some(Ok("one")));
//! for message in ["two", "three"] {
//!     assert_eq!(sender.send(message), Ok(1));
//! }
//! assert_eq!(second.recv(), Err(RecvError::Lagged(1)));
//! assert_eq!(second.recv(), Ok("two"));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod error;

pub use error::{RecvError, RecvTimeoutError, SendError, TryRecvError};

use super::channel::wake_all;
use crate::driver::clock;
use crate::primitive::{AtomicU64, Mutex, MutexGuard, Ordering, lock_briefly};
use crate::wait::What;
use crate::wait::operation::{Operation, Waiting, wait_for, wait_for_until};
use crate::wait::queue::{WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a channel that keeps up to `capacity` messages for receivers that are behind.
///
/// # Panics
/// If `capacity` is 0.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel keeps at least one message");
    let state =
        State { kept: VecDeque::new(), end: 0, senders: 1, receivers: 1, is_closed: false, waiting: WaitQueue::new() };
    let shared = Arc::new(Shared { state: Mutex::new(state), capacity });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared, next: AtomicU64::new(0) })
}

struct Shared<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

/// What the lock protects. Messages are numbered as they are sent; receivers know the number of their next one.
struct State<T> {
    /// The messages before `end`, the oldest first. As everybody reads in order, whoever has yet to get one has yet to get all after it.
    kept: VecDeque<Kept<T>>,
    /// The number of the next message.
    end: u64,
    senders: usize,
    receivers: usize,
    is_closed: bool,
    waiting: WaitQueue<()>,
}

struct Kept<T> {
    message: Arc<T>,
    /// How many receivers have yet to get it.
    readers: usize,
}

impl<T> State<T> {
    /// The number of the oldest message that is kept.
    fn start(&self) -> u64 {
        self.end - self.kept.len() as u64
    }

    /// The message with number `next`, which is advanced; and how many are gone, if that is one of them.
    fn read(&mut self, next: &AtomicU64) -> Result<Arc<T>, TryRecvError> {
        let (at, start) = (next.load(Ordering::Relaxed), self.start());
        if at == self.end {
            return Err(if self.is_closed { TryRecvError::Closed } else { TryRecvError::Empty });
        }
        if at < start {
            next.store(start, Ordering::Relaxed);
            return Err(TryRecvError::Lagged(start - at));
        }
        next.store(at + 1, Ordering::Relaxed);
        let kept = &mut self.kept[(at - start) as usize];
        kept.readers -= 1;
        if kept.readers > 0 {
            return Ok(Arc::clone(&kept.message));
        }
        // The last reader of a message is the last of all before it, too.
        debug_assert_eq!(at, start);
        let kept = self.kept.pop_front().expect("the message was there");
        Ok(kept.message)
    }

    fn subscribe(&mut self) -> AtomicU64 {
        self.receivers += 1;
        AtomicU64::new(self.end)
    }

    /// How many messages a receiver that is at `next` can get.
    fn len(&self, next: &AtomicU64) -> usize {
        (self.end - next.load(Ordering::Relaxed).max(self.start())) as usize
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock_briefly(&self.state)
    }

    fn subscribe(self: &Arc<Self>) -> Receiver<T> {
        let next = self.lock().subscribe();
        Receiver { shared: Arc::clone(self), next }
    }

    fn close(&self) -> bool {
        let mut state = self.lock();
        let was_open = !core::mem::replace(&mut state.is_closed, true);
        wake_all(state, |state| &mut state.waiting);
        was_open
    }
}

/// Every receiver gets a clone: the last one the message itself. Outside the lock, as the clone is the user's code.
fn own<T: Clone>(message: Arc<T>) -> T {
    Arc::unwrap_or_clone(message)
}

/// The sending side. Clones send to the same channel.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends `message` to all receivers, and returns how many there are. It never waits: it may push out the oldest message.
    ///
    /// # Errors
    /// With the message, if the channel is closed or has no receiver now.
    pub fn send(&self, message: T) -> Result<usize, SendError<T>> {
        let message = Arc::new(message);
        let mut state = self.shared.lock();
        let readers = state.receivers;
        if state.is_closed || readers == 0 {
            drop(state);
            let message = Arc::into_inner(message).expect("nobody else has seen it");
            return Err(SendError(message));
        }
        let oldest = if state.kept.len() == self.shared.capacity { state.kept.pop_front() } else { None };
        state.kept.push_back(Kept { message, readers });
        state.end += 1;
        wake_all(state, |state| &mut state.waiting);
        drop(oldest);
        Ok(readers)
    }

    /// A new receiver, which gets what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.subscribe()
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.lock().receivers
    }

    /// How many messages are kept, as some receiver has yet to get them.
    pub fn len(&self) -> usize {
        self.shared.lock().kept.len()
    }

    /// Whether every receiver has got every message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes the channel. False: it was closed already. Receivers get what is kept for them, and then an error.
    pub fn close(&self) -> bool {
        self.shared.close()
    }

    /// Whether both are handles of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.senders -= 1;
        if state.senders == 0 {
            drop(state);
            self.shared.close();
        }
    }
}

/// The receiving side: one subscription.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The number of its next message. Changed under the lock, by its owner alone.
    next: AtomicU64,
}

impl<T: Clone> Receiver<T> {
    /// Receives the next message, and waits for it first.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] if messages have been lost, and how many; the next call gives the oldest that is kept.
    /// [`RecvError::Closed`] if the channel is closed and this receiver has got everything.
    ///
    /// # Cancellation
    /// A green thread that is cancelled while it waits has taken nothing.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        wait_for(What::Message, Receiving(self), ()).map(own)
    }

    /// Receives the next message if it comes before `timeout` has passed.
    ///
    /// # Blocking
    /// As [`recv`](Self::recv), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and if the time has passed.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    #[inline(never)]
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(clock::deadline_after(timeout))
    }

    /// Receives the next message if it comes before `deadline`.
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
        match wait_for_until(What::Message, deadline, Receiving(self), ()) {
            Some(received) => received.map(own).map_err(RecvTimeoutError::from),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Receives the next message if it is there.
    ///
    /// # Errors
    /// If it is not, or messages have been lost.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let read = self.shared.lock().read(&self.next);
        read.map(own)
    }

    /// As [`recv`](Self::recv), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has taken nothing.
    pub fn recv_async(&mut self) -> RecvFuture<'_, T> {
        RecvFuture(Waiting::new(Receiving(self), ()))
    }
}

impl<T> Receiver<T> {
    /// Another receiver, which gets what is sent from now on.
    pub fn resubscribe(&self) -> Self {
        self.shared.subscribe()
    }

    /// How many messages it can get now. Those that it has lost do not count.
    pub fn len(&self) -> usize {
        self.shared.lock().len(&self.next)
    }

    /// Whether it would have to wait.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the channel is closed: what it has yet to get can still be received.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().is_closed
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receivers -= 1;
        let unread = state.len(&self.next);
        let from = state.kept.len() - unread;
        state.kept.range_mut(from..).for_each(|kept| kept.readers -= 1);
        // Messages that nobody else needs are the oldest, and are dropped without the lock.
        let needless = state.kept.iter().take_while(|kept| kept.readers == 0).count();
        let needless: Vec<_> = state.kept.drain(..needless).collect();
        drop(state);
        drop(needless);
    }
}

struct Receiving<'a, T>(&'a Receiver<T>);

impl<T> Operation for Receiving<'_, T> {
    type Slot = ();
    type Output = Result<Arc<T>, RecvError>;

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.shared.lock();
        let read = match state.read(&self.0.next) {
            Ok(message) => Ok(message),
            Err(TryRecvError::Lagged(lost)) => Err(RecvError::Lagged(lost)),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
            Err(TryRecvError::Empty) => {
                // SAFETY: 1. in this queue or none; 2. pinned by its owner, who gives up before it drops it; 3. the channel's lock.
                let old = unsafe { state.waiting.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
                drop(state);
                drop(old);
                return Poll::Pending;
            }
        };
        Poll::Ready(read)
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        // One that has been served has been woken for a message that is still there for it.
        if waiter.is_queued() {
            let _ = self.0.shared.lock().waiting.give_up(waiter.as_ref());
        }
    }
}

/// Made by [`Receiver::recv_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct RecvFuture<'a, T>(Waiting<Receiving<'a, T>>);

impl<T: Clone> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context).map(|received| received.map(own))
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Sender")
            .field("len", &state.kept.len())
            .field("receivers", &state.receivers)
            .field("is_closed", &state.is_closed)
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("is_closed", &self.is_closed()).finish()
    }
}
