//! A condition variable: waits until somebody says that a condition may hold.
//!
//! It goes with a [`Mutex`](super::Mutex): who waits holds the lock, gives it up for the wait, and holds it again afterwards. The functions have
//! the shape of std's, without its `Result`s: nothing is poisoned. Who only wants to say "go on" without a condition takes
//! [`park`](crate::park), a channel, or a notification.
//!
//! # What it keeps to
//! * No notification is lost: one that is sent after the waiter's lock was released finds the waiter.
//! * No wake-up without a notification. One that was sent to a single waiter is passed on to the next if that waiter is cancelled, or
//!   its future dropped, before it has returned. So a loop around the wait, or [`wait_while`](Condvar::wait_while), is for conditions that somebody else
//!   has used up in the meantime.
//! * Waiters are notified in the order in which they came. Those that are notified together then take the lock by its own rule. They
//!   are not moved from one queue to the other, for waking a green thread is no system call, and no more of them run at once than there are processors.
//! * It may be used with one lock after another, and with several at a time.
//!
//! # Cancellation
//! A wait that is cut short unwinds *without* the lock, which its guard has been given up for. So destructors that run then may take that
//! lock, and must not assume that it is held. (pthreads takes it again, for handlers that unlock it; here a guard does that, and there is none.)
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::{Condvar, Mutex};
//! use std::sync::Arc;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let pair = Arc::new((Mutex::new(None), Condvar::new()));
//! let waits = {
//!     let pair = Arc::clone(&pair);
//!     greenbridge_runtime::spawn(move || {
//!         let (letter, arrived) = &*pair;
//!         let mut letter = arrived.wait_while(letter.lock(), |letter| letter.is_none());
//!         letter.take()
//!     })
//! };
//! let (letter, arrived) = &*pair;
//! *letter.lock() = Some("dear reader");
//! arrived.notify_one();
//! assert_eq!(waits.join().ok(), Some(Some("dear reader")));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod future;
mod waiting;

pub use future::WaitFuture;

use super::mutex::raw::RawMutex;
use super::mutex::{MappedMutexGuard, MutexGuard};
use crate::driver::clock;
use crate::primitive::{AtomicBool, Mutex, MutexGuard as QueueGuard, Ordering, lock_briefly};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use crate::wait::{What, wait, wait_until};
use core::fmt;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::Waker;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// A condition variable. Its [module](self) says what it keeps to.
pub struct Condvar {
    /// Whether the queue is not empty: for a notification that concerns nobody. Changes under the queue's lock.
    has_waiters: AtomicBool,
    waiters: Mutex<WaitQueue<Notice>>,
}

/// Why a waiter is in the queue no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    /// It has not been notified.
    None,
    /// It alone: if it goes away, somebody else is notified in its place.
    One,
    /// With all others.
    All,
}

impl Condvar {
    /// Makes one that nobody waits for.
    pub const fn new() -> Self {
        Self { has_waiters: AtomicBool::new(false), waiters: Mutex::new(WaitQueue::new()) }
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks. It waits twice: for the notification, and for the
    /// lock.
    ///
    /// # Panics
    /// In a callback under a bare C call.
    ///
    /// # Cancellation
    /// A wait that is cut short unwinds without the lock, and passes on a notification that it had been sent alone.
    #[inline(never)]
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = guard.into_mutex();
        self.wait_with(mutex.raw(), None);
        MutexGuard::of(mutex)
    }

    /// Waits as long as `condition` holds, looked at under the lock: before each wait, and so perhaps without any.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait`](Self::wait); and if `condition` does, with the lock released.
    ///
    /// # Cancellation
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Waits until `part` finds a part of the value, and returns a guard of that.
    ///
    /// This is how a [`MappedMutexGuard`] and a condition variable go together: what is waited with is the whole, and the part is looked for each time.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait`](Self::wait); and if `part` does, with the lock released.
    ///
    /// # Cancellation
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::{Condvar, Mutex};
    ///
    /// let (queue, grows) = (Mutex::new(vec![String::from("first")]), Condvar::new());
    /// let mut first = grows.wait_for_part(queue.lock(), |queue| queue.first_mut());
    /// first.push_str(" come");
    /// drop(first);
    /// assert_eq!(queue.into_inner(), ["first come"]);
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn wait_for_part<'a, T: ?Sized, U: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut part: impl FnMut(&mut T) -> Option<&mut U>,
    ) -> MappedMutexGuard<'a, U> {
        loop {
            if let Some(part) = part(&mut guard).map(NonNull::from) {
                return MappedMutexGuard::of(guard.into_mutex().raw(), part);
            }
            guard = self.wait(guard);
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`; without an end, if that is more than the clock can count. The lock is waited for
    /// in any case, however long that takes.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait`](Self::wait); and on a green thread if the runtime has not been started.
    ///
    /// # Cancellation
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (lock, never) = (Mutex::new(1), Condvar::new());
    /// let (guard, result) = never.wait_timeout(lock.lock(), Duration::from_millis(1));
    /// assert!(result.timed_out());
    /// assert_eq!(*guard, 1);
    /// ```
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_at_most(guard, clock::deadline_after(timeout))
    }

    /// As [`wait_timeout`](Self::wait_timeout), until `deadline`.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Cancellation
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_at_most(guard, Some(deadline))
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout` in all. It has timed out if the condition still holds then.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait_timeout`](Self::wait_timeout); and if `condition` does, with the lock released.
    ///
    /// # Cancellation
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let deadline = clock::deadline_after(timeout);
        let mut result = WaitTimeoutResult(false);
        loop {
            if !condition(&mut guard) {
                return (guard, WaitTimeoutResult(false));
            }
            if result.timed_out() {
                return (guard, result);
            }
            (guard, result) = self.wait_at_most(guard, deadline);
        }
    }

    /// As [`wait`](Self::wait), as a future. The lock is released when it is first polled.
    ///
    /// # Cancellation
    /// A future that is dropped does not take the lock again, and passes on a notification that it had been sent alone. One that has been
    /// woken is to be polled, or dropped, as that of [`Mutex::lock_async`](super::Mutex::lock_async).
    pub fn wait_async<'a, T: ?Sized>(&'a self, guard: MutexGuard<'a, T>) -> WaitFuture<'a, T> {
        WaitFuture::new(self, guard.into_mutex())
    }

    /// Wakes the one that has waited longest, if somebody waits.
    ///
    /// It may be called with the lock or without, from anywhere, and does not wait.
    #[inline]
    pub fn notify_one(&self) {
        // What is read may be old, unless the lock orders it: whoever changed the condition under the lock, after a waiter released
        // it, sees that the waiter has queued.
        if self.has_waiters.load(Ordering::Relaxed) {
            self.notify_first();
        }
    }

    /// Wakes everybody who waits.
    ///
    /// It may be called with the lock or without, from anywhere, and does not wait.
    #[inline]
    pub fn notify_all(&self) {
        // As in `notify_one`.
        if self.has_waiters.load(Ordering::Relaxed) {
            self.notify_each();
        }
    }

    #[inline(never)]
    fn notify_first(&self) {
        let mut waiters = lock_briefly(&self.waiters);
        let served = waiters.serve(|notice| *notice = Notice::One);
        self.unlock_queue(waiters);
        if let Some(((), waker)) = served {
            waker.wake();
        }
    }

    #[inline(never)]
    fn notify_each(&self) {
        let mut wakers = Vec::new();
        let mut waiters = lock_briefly(&self.waiters);
        while let Some(((), waker)) = waiters.serve(|notice| *notice = Notice::All) {
            wakers.push(waker);
        }
        self.unlock_queue(waiters);
        wakers.into_iter().for_each(Waker::wake);
    }

    #[track_caller]
    fn wait_at_most<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let mutex = guard.into_mutex();
        let notice = self.wait_with(mutex.raw(), deadline);
        (MutexGuard::of(mutex), WaitTimeoutResult(notice == Notice::None))
    }

    /// Waits with a lock that the caller holds, and holds again afterwards.
    #[inline(never)]
    #[track_caller]
    fn wait_with(&self, raw: &RawMutex, deadline: Option<Instant>) -> Notice {
        let mut waiting = pin!(Waiting::new(self, raw));
        let _ = wait_until(What::Condition, deadline, |context| waiting.as_mut().poll_notified(context));
        let notice = waiting.as_mut().stop();
        wait(What::Lock, |context| waiting.as_mut().poll_lock(context));
        notice
    }

    /// Queues a waiter that holds its lock.
    fn enqueue(&self, waiter: Pin<&Waiter<Notice>>, waker: &Waker) {
        let waker = waker.clone();
        let mut waiters = lock_briefly(&self.waiters);
        // SAFETY: 1. a `Waiting` queues its waiter once; 2. it is pinned, and gives up before it drops it; 3. the queue's lock.
        let old = unsafe { waiters.enqueue(waiter, waker) };
        self.unlock_queue(waiters);
        debug_assert!(old.is_none());
    }

    /// Renews the waker of a waiter that is still queued. False: it has been notified.
    fn renew(&self, waiter: Pin<&Waiter<Notice>>, waker: &Waker) -> bool {
        if !waiter.is_queued() {
            return false;
        }
        let waker = waker.clone();
        let mut waiters = lock_briefly(&self.waiters);
        let is_queued = waiter.is_queued();
        let old = if is_queued { waiters.rewake(waiter, waker) } else { Some(waker) };
        drop(waiters);
        drop(old);
        is_queued
    }

    /// A queued waiter goes away. Returns a notification that it has been sent in the meantime.
    fn give_up(&self, waiter: Pin<&mut Waiter<Notice>>) -> Notice {
        if waiter.is_queued() {
            let mut waiters = lock_briefly(&self.waiters);
            let gave_up = waiters.give_up(waiter.as_ref());
            self.unlock_queue(waiters);
            if gave_up == GaveUp::InTime {
                return Notice::None;
            }
        }
        *waiter.slot()
    }

    fn unlock_queue(&self, waiters: QueueGuard<'_, WaitQueue<Notice>>) {
        self.has_waiters.store(!waiters.is_empty(), Ordering::Relaxed);
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar")
            .field("has_waiters", &self.has_waiters.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// Whether a wait ended because its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was up before a notification came.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
