//! A channel that holds one value, the latest.
//!
//! Senders replace the value; receivers look at it whenever they like, and can wait until it has changed. One that is slow sees the latest
//! value and not each of them: for that there is [`broadcast`](super::broadcast).
//!
//! The value lies in an `Arc`, and whoever looks gets that. So nothing is locked while it is looked at, it may be kept over waits, and
//! a sender never waits for a reader. To change a part of the value is to make a new one: [`Sender::send_modify`] clones it.
//!
//! # Fairness, cancellation, panics
//! Every change wakes all receivers that wait. A wait that is cancelled, given up or too late has seen nothing. Values are cloned,
//! changed and dropped, predicates run and wakers called outside the channel's lock; a change that panics has not happened.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::watch;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (level, mut receiver) = watch::channel(0);
//! let waits = greenbridge_runtime::spawn(move || receiver.wait_for(|level| *level >= 3).map(|level| *level));
//! for next in 1..=3 {
//!     level.send_replace(next);
//! }
//! assert_eq!(waits.join().ok(), Some(Ok(3)));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod future;

pub use future::{ChangedFuture, ClosedFuture};

use super::channel::{RecvError, RecvTimeoutError, SendError, wake_all};
use crate::driver::clock;
use crate::primitive::{AtomicU64, Mutex, MutexGuard, Ordering, lock_briefly};
use crate::wait::What;
use crate::wait::operation::{Waiting, wait_for, wait_for_until};
use crate::wait::queue::WaitQueue;
use core::fmt;
use future::{WaitForChange, WaitForClose};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Makes a channel that holds `value`. The receiver has seen it.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State {
        value: Arc::new(value),
        version: 0,
        senders: 1,
        receivers: 1,
        waiting: WaitQueue::new(),
        waiting_senders: WaitQueue::new(),
    };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared, seen: AtomicU64::new(0) })
}

struct Shared<T>(Mutex<State<T>>);

/// What the lock protects.
struct State<T> {
    value: Arc<T>,
    /// How often it has been replaced.
    version: u64,
    senders: usize,
    receivers: usize,
    /// Receivers that wait for a change, or for the last sender to go.
    waiting: WaitQueue<()>,
    /// Senders that wait for the last receiver to go.
    waiting_senders: WaitQueue<()>,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock_briefly(&self.0)
    }

    fn value(&self) -> Arc<T> {
        Arc::clone(&self.lock().value)
    }

    fn subscribe(self: &Arc<Self>) -> Receiver<T> {
        let mut state = self.lock();
        state.receivers += 1;
        let seen = AtomicU64::new(state.version);
        drop(state);
        Receiver { shared: Arc::clone(self), seen }
    }
}

/// Puts `value` in the place of the old one, which is returned, and wakes all receivers.
fn replace<T>(mut state: MutexGuard<'_, State<T>>, value: Arc<T>) -> Arc<T> {
    let old = core::mem::replace(&mut state.value, value);
    state.version += 1;
    wake_all(state, |state| &mut state.waiting);
    old
}

/// The sending side. Clones change the same value.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Replaces the value. It never waits.
    ///
    /// # Errors
    /// With the value, if there is no receiver. [`send_replace`](Self::send_replace) does it all the same.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let value = Arc::new(value);
        let state = self.shared.lock();
        if state.receivers == 0 {
            drop(state);
            let value = Arc::into_inner(value).expect("nobody else has seen it");
            return Err(SendError(value));
        }
        drop(replace(state, value));
        Ok(())
    }

    /// Replaces the value, and returns the old one.
    pub fn send_replace(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        replace(self.shared.lock(), value)
    }

    /// Lets `change` have its way with a clone of the value, which then replaces it. If another sender has been faster, `change` starts
    /// again, with that one's value.
    ///
    /// # Panics
    /// If `change` does; the value is then as it was.
    pub fn send_modify(&self, mut change: impl FnMut(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// The same if `change` returns true; otherwise the value stays as it was, and nobody is woken. Returns what `change` did.
    ///
    /// # Panics
    /// If `change` does; the value is then as it was.
    pub fn send_if_modified(&self, mut change: impl FnMut(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        loop {
            let old = self.shared.value();
            let mut new = T::clone(&old);
            if !change(&mut new) {
                return false;
            }
            let new = Arc::new(new);
            let state = self.shared.lock();
            if Arc::ptr_eq(&state.value, &old) {
                drop(replace(state, new));
                return true;
            }
        }
    }

    /// The value.
    pub fn borrow(&self) -> Arc<T> {
        self.shared.value()
    }

    /// A new receiver, which has seen the value as it is now.
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.subscribe()
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.lock().receivers
    }

    /// Whether there is no receiver now.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn closed(&self) {
        wait_for(What::Close, WaitForClose(&self.shared), ());
    }

    /// As [`closed`](Self::closed), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub fn closed_async(&self) -> ClosedFuture<'_, T> {
        ClosedFuture(Waiting::new(WaitForClose(&self.shared), ()))
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
            wake_all(state, |state| &mut state.waiting);
        }
    }
}

/// The receiving side. A clone has seen what the receiver has seen.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version that it has seen.
    seen: AtomicU64,
}

impl<T> Receiver<T> {
    /// The value. That does not count as having seen it.
    pub fn borrow(&self) -> Arc<T> {
        self.shared.value()
    }

    /// The value, which counts as seen: [`changed`](Self::changed) waits for a later one.
    pub fn borrow_and_update(&mut self) -> Arc<T> {
        self.look().0
    }

    /// The value, counted as seen, and whether another one may come.
    fn look(&self) -> (Arc<T>, bool) {
        let state = self.shared.lock();
        self.seen.store(state.version, Ordering::Relaxed);
        (Arc::clone(&state.value), state.senders > 0)
    }

    /// Whether there is a value that it has not seen.
    ///
    /// # Errors
    /// If there is none and no sender either.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let state = self.shared.lock();
        match state.version != self.seen.load(Ordering::Relaxed) {
            false if state.senders == 0 => Err(RecvError),
            has_changed => Ok(has_changed),
        }
    }

    /// The value counts as not seen.
    pub fn mark_changed(&mut self) {
        // A version that the value has never had, nor will have.
        self.seen.store(u64::MAX, Ordering::Relaxed);
    }

    /// Waits until there is a value that it has not seen. After that it counts as seen.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// If there is none, and no sender either.
    ///
    /// # Cancellation
    /// A green thread that is cancelled while it waits has seen nothing.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn changed(&mut self) -> Result<(), RecvError> {
        wait_for(What::Message, WaitForChange(self), ())
    }

    /// The same until `timeout` has passed.
    ///
    /// # Blocking
    /// As [`changed`](Self::changed), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// As [`changed`](Self::changed), and if the time has passed.
    ///
    /// # Panics
    /// As [`changed`](Self::changed).
    #[inline(never)]
    #[track_caller]
    pub fn changed_timeout(&mut self, timeout: Duration) -> Result<(), RecvTimeoutError> {
        self.changed_until(clock::deadline_after(timeout))
    }

    /// The same until `deadline`.
    ///
    /// # Blocking
    /// As [`changed`](Self::changed), and not after `deadline`.
    ///
    /// # Errors
    /// As [`changed_timeout`](Self::changed_timeout).
    ///
    /// # Panics
    /// As [`changed`](Self::changed).
    #[inline(never)]
    #[track_caller]
    pub fn changed_deadline(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        self.changed_until(Some(deadline))
    }

    #[track_caller]
    fn changed_until(&self, deadline: Option<Instant>) -> Result<(), RecvTimeoutError> {
        match wait_for_until(What::Message, deadline, WaitForChange(self), ()) {
            Some(changed) => changed.map_err(|RecvError| RecvTimeoutError::Closed),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// As [`changed`](Self::changed), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has seen nothing.
    pub fn changed_async(&mut self) -> ChangedFuture<'_, T> {
        ChangedFuture(Waiting::new(WaitForChange(self), ()))
    }

    /// Waits for a value that `is_right`, and returns it; the value as it is now will do.
    ///
    /// # Blocking
    /// As [`changed`](Self::changed). `is_right` sees the latest value after each wake-up, not each value.
    ///
    /// # Errors
    /// If the value is not right, and there is no sender any more.
    ///
    /// # Panics
    /// As [`changed`](Self::changed), and if `is_right` does.
    #[inline(never)]
    #[track_caller]
    pub fn wait_for(&mut self, mut is_right: impl FnMut(&T) -> bool) -> Result<Arc<T>, RecvError> {
        loop {
            let (value, may_change) = self.look();
            if is_right(&value) {
                return Ok(value);
            }
            if !may_change {
                return Err(RecvError);
            }
            drop(value);
            wait_for(What::Message, WaitForChange(self), ())?;
        }
    }

    /// The same until `timeout` has passed.
    ///
    /// # Blocking
    /// As [`wait_for`](Self::wait_for), and no longer than `timeout`; one that is more than the clock can count is none.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for), and if the time has passed.
    ///
    /// # Panics
    /// As [`wait_for`](Self::wait_for).
    #[inline(never)]
    #[track_caller]
    pub fn wait_for_timeout(
        &mut self,
        timeout: Duration,
        mut is_right: impl FnMut(&T) -> bool,
    ) -> Result<Arc<T>, RecvTimeoutError> {
        let deadline = clock::deadline_after(timeout);
        loop {
            let (value, may_change) = self.look();
            if is_right(&value) {
                return Ok(value);
            }
            if !may_change {
                return Err(RecvTimeoutError::Closed);
            }
            drop(value);
            self.changed_until(deadline)?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let clone = self.shared.subscribe();
        clone.seen.store(self.seen.load(Ordering::Relaxed), Ordering::Relaxed);
        clone
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receivers -= 1;
        if state.receivers == 0 {
            wake_all(state, |state| &mut state.waiting_senders);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("value", &self.borrow()).finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("value", &self.borrow()).finish_non_exhaustive()
    }
}
