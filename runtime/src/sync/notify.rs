//! A notification: an event without a value.
//!
//! What it is about, the two sides know: a flag, a queue. With a value, take a [`channel`](super::channel).
//!
//! # Examples
//! A condition that is looked at without a lock. The future is made before the look, so that nothing is missed in between:
//! ```
//! use greenbridge_runtime::{spawn, sync::Notify};
//! use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let door = Arc::new((AtomicBool::new(false), Notify::new()));
//! let guests: Vec<_> = (0..3)
//!     .map(|_| {
//!         let door = Arc::clone(&door);
//!         spawn(move || loop {
//!             let opened = door.1.notified();
//!             if door.0.load(Ordering::Acquire) {
//!                 return;
//!             }
//!             opened.wait();
//!         })
//!     })
//!     .collect();
//! door.0.store(true, Ordering::Release);
//! door.1.notify_waiters();
//! assert!(guests.into_iter().all(|guest| guest.join().is_ok()));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use super::timed_out::TimedOut;
use crate::driver::clock;
use crate::primitive::{Mutex, lock_briefly};
use crate::wait::operation::{Operation, Waiting};
use crate::wait::queue::{WaitQueue, Waiter};
use crate::wait::{What, wait, wait_until};
use core::fmt;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Notifies one who waits, or all.
///
/// * [`notify_one`](Self::notify_one) reaches the one that has waited longest. If nobody waits, it is kept, and the next wait returns at once;
///   one is kept, however often it is called.
/// * [`notify_waiters`](Self::notify_waiters) reaches everybody who waits, and every [`Notified`] that has been made, polled or not. It is
///   not kept for those that come later.
///
/// A wait begins when its [`Notified`] is made, for `notify_waiters`, and when it is first polled, or [enabled](Notified::enable), for
/// `notify_one`. What was done before a notification has been done for who is notified.
///
/// # Cancellation
/// Who was notified by `notify_one`, and is cut short or dropped before its wait has returned, passes it on: to the next one, or it is kept.
pub struct Notify {
    state: Mutex<State>,
}

struct State {
    /// A `notify_one` that found nobody. Never while somebody waits.
    is_kept: bool,
    /// How often `notify_waiters` was called.
    rounds: u64,
    waiting: WaitQueue<Notice>,
}

/// How a waiter was notified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notice {
    None,
    One,
    All,
}

impl Notify {
    /// One that nobody waits for, with nothing kept.
    pub const fn new() -> Self {
        Self { state: Mutex::new(State { is_kept: false, rounds: 0, waiting: WaitQueue::new() }) }
    }

    /// Notifies the one that has waited longest, or the next that comes.
    pub fn notify_one(&self) {
        let mut state = lock_briefly(&self.state);
        match state.waiting.serve(|notice| *notice = Notice::One) {
            Some(((), waker)) => {
                drop(state);
                waker.wake();
            }
            None => state.is_kept = true,
        }
    }

    /// Notifies all who wait now, and nobody else.
    pub fn notify_waiters(&self) {
        let mut state = lock_briefly(&self.state);
        state.rounds += 1;
        let wakers = state.waiting.serve_all(|notice| *notice = Notice::All);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for a notification, from now on.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn wait(&self) {
        self.notified().wait();
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the time is over; then no notification was taken.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.notified().wait_timeout(timeout)
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the deadline has come; then no notification was taken.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.notified().wait_deadline(deadline)
    }

    /// A wait that has begun: a future, which can also be [waited](Notified::wait) for.
    pub fn notified(&self) -> Notified<'_> {
        let rounds = lock_briefly(&self.state).rounds;
        Notified { waiting: Waiting::new(Listen { notify: self, rounds }, Notice::None), is_done: false }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock_briefly(&self.state);
        f.debug_struct("Notify").field("is_kept", &state.is_kept).field("waiting", &state.waiting).finish()
    }
}

/// A wait for a notification. Made by [`Notify::notified`]; see [`Notify`] for what it notices from then on.
#[derive(Debug)]
#[must_use = "a wait that is not waited for is given up"]
pub struct Notified<'a> {
    waiting: Waiting<Listen<'a>>,
    /// Whether it has been ready.
    is_done: bool,
}

impl Notified<'_> {
    /// Waits for the notification.
    ///
    /// # Blocking
    /// As [`Notify::wait`].
    ///
    /// # Panics
    /// As [`Notify::wait`].
    #[inline(never)]
    #[track_caller]
    pub fn wait(self) {
        let mut notified = pin!(self);
        wait(What::Notification, |context| notified.as_mut().poll(context));
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`Notify::wait`].
    ///
    /// # Errors
    /// If the time is over; then no notification was taken.
    ///
    /// # Panics
    /// As [`Notify::wait`].
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), TimedOut> {
        self.wait_until(clock::deadline_after(timeout))
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`Notify::wait`].
    ///
    /// # Errors
    /// If the deadline has come; then no notification was taken.
    ///
    /// # Panics
    /// As [`Notify::wait`].
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), TimedOut> {
        self.wait_until(Some(deadline))
    }

    #[inline]
    #[track_caller]
    fn wait_until(self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        let mut notified = pin!(self);
        wait_until(What::Notification, deadline, |context| notified.as_mut().poll(context)).ok_or(TimedOut)
    }

    /// Lines up for `notify_one` without being polled; it wakes nobody that a poll would not wake. True: it has been notified already, and a
    /// poll is ready.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    /// Once ready, it stays ready.
    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: `waiting` is structurally pinned: nothing moves it. `is_done` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        if !this.is_done {
            // SAFETY: as above.
            this.is_done = unsafe { Pin::new_unchecked(&mut this.waiting) }.poll(context).is_ready();
        }
        if this.is_done { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct Listen<'a> {
    notify: &'a Notify,
    /// How often all had been notified when the wait began.
    rounds: u64,
}

impl Operation for Listen<'_> {
    type Slot = Notice;
    type Output = ();

    fn poll(&self, mut waiter: Pin<&mut Waiter<Notice>>, context: &Context<'_>) -> Poll<()> {
        let mut state = lock_briefly(&self.notify.state);
        if waiter.is_served() {
            *waiter.as_mut().slot() = Notice::None;
            waiter.reset();
            return Poll::Ready(());
        }
        // Who is told with all the others leaves what is kept to the next one.
        if !waiter.is_queued() && (state.rounds != self.rounds || core::mem::take(&mut state.is_kept)) {
            return Poll::Ready(());
        }
        // Who enables it has no waker to leave, and takes none away.
        if waiter.is_queued() && context.waker().will_wake(Waker::noop()) {
            return Poll::Pending;
        }
        // SAFETY: 1. in this queue, if at all; 2. pinned by its owner, who gives up before it drops it; 3. the lock of the `Notify`.
        let old = unsafe { state.waiting.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, mut waiter: Pin<&mut Waiter<Notice>>) {
        if waiter.is_queued() {
            let _ = lock_briefly(&self.notify.state).waiting.give_up(waiter.as_ref());
        }
        if waiter.is_served() && *waiter.as_mut().slot() == Notice::One {
            self.notify.notify_one();
        }
    }
}
