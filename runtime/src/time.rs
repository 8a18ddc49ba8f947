//! Time: sleeping, deadlines for whatever waits, and timers as futures and as channels.
//!
//! | to | use |
//! |---|---|
//! | wait for a while | [`sleep`], [`sleep_until`] |
//! | give up waiting after a while, whatever for | [`timeout`], [`timeout_at`] around a closure |
//! | do something at regular times | [`interval()`] |
//! | wait for a time in another executor, or beside other futures | [`sleep_async`], [`sleep_until_async`] |
//! | receive the time, from several places | [`after`], [`ticker`] |
//!
//! All of it works on green threads, in callbacks from C, and on any other OS thread. Nothing ends before its time. How much later
//! depends on who is busy: a green thread that is due comes before all that is queued, but the turn of one that runs is not cut short.
//!
//! A timer costs no green thread and no OS thread. An idle runtime sleeps until the first deadline, and for good if there is none. Timers
//! wake, and run nobody's code: what follows runs where it waits.
//!
//! A time too far away for the clock, such as `Duration::MAX`, never comes.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::time::{self, Elapsed};
//! use std::time::Duration;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! greenbridge_runtime::run(|| {
//!     let start = time::now();
//!     time::sleep(Duration::from_millis(2));
//!     assert!(start.elapsed() >= Duration::from_millis(2));
//!
//!     let waited = time::timeout(Duration::from_millis(1), greenbridge_runtime::park);
//!     assert_eq!(waited, Err(Elapsed));
//! });
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod interval;
mod receiver;

pub use interval::{Interval, MissedTicks, Tick, interval, interval_at};
pub use receiver::{RecvTime, TimeReceiver, after, ticker};

use crate::driver::clock;
use crate::driver::timers::Timer;
use crate::wait::cancel::{self, Node};
use crate::wait::{What, wait_until};
use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::error::Error;
use std::time::{Duration, Instant};

/// The time that deadlines are compared with.
///
/// # Examples
/// ```
/// let start = greenbridge_runtime::time::now();
/// assert!(greenbridge_runtime::time::now() >= start);
/// ```
pub fn now() -> Instant {
    clock::now()
}

/// Waits for `duration`.
///
/// A duration of zero returns at once; to let others run, there is [`yield_now`](crate::yield_now).
///
/// # Blocking
/// A green thread waits alone, also in a callback from C; any other OS thread blocks.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait. On a green thread, if its deadline is later than the clock can count, it
/// waits until it is cancelled.
///
/// # Cancellation
/// It ends early where the caller is [cancelled](crate::cancel).
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let start = Instant::now();
/// let sleepers: Vec<_> = (0..1000)
///     .map(|_| greenbridge_runtime::spawn(|| greenbridge_runtime::time::sleep(Duration::from_millis(5))))
///     .collect();
/// assert!(sleepers.into_iter().all(|sleeper| sleeper.join().is_ok()));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn sleep(duration: Duration) {
    wait_for_time(clock::deadline_after(duration));
}

/// Waits until `deadline`: as [`sleep`]. One that has come already is no wait.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait.
///
/// # Examples
/// ```
/// use greenbridge_runtime::time;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// greenbridge_runtime::run(|| {
///     let deadline = time::now() + Duration::from_millis(1);
///     time::sleep_until(deadline);
///     assert!(time::now() >= deadline);
/// });
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    wait_for_time(Some(deadline));
}

/// None: for ever.
#[track_caller]
fn wait_for_time(deadline: Option<Instant>) {
    // Also where the caller is cancelled: what need not wait is not cut short.
    if deadline.is_some_and(|deadline| clock::now() >= deadline) {
        return;
    }
    let nothing_else: Option<Infallible> = wait_until(What::Time, deadline, |_| Poll::Pending);
    debug_assert!(nothing_else.is_none());
}

/// As [`sleep`], as a future: of any executor.
///
/// The time begins now, not at the first poll.
///
/// # Examples
/// ```
/// use greenbridge_runtime::{block_on, time};
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let start = time::now();
/// block_on(time::sleep_async(Duration::from_millis(1)));
/// assert!(start.elapsed() >= Duration::from_millis(1));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
pub fn sleep_async(duration: Duration) -> Sleep {
    Sleep::until(clock::deadline_after(duration))
}

/// As [`sleep_until`], as a future.
pub fn sleep_until_async(deadline: Instant) -> Sleep {
    Sleep::until(Some(deadline))
}

/// A future that is done when its deadline has come: made by [`sleep_async`] and [`sleep_until_async`].
///
/// It may be moved between polls, and used again after a [`reset`](Self::reset).
///
/// # Panics
/// When it is polled before its deadline, if the runtime has not been started.
///
/// # Cancellation
/// It may be dropped at any time.
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct Sleep {
    /// None: never.
    deadline: Option<Instant>,
    timer: Timer,
}

impl Sleep {
    fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, timer: Timer::new() }
    }

    /// When it is done; None: never.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether its deadline has come.
    pub fn is_elapsed(&self) -> bool {
        self.deadline.is_some_and(|deadline| clock::now() >= deadline)
    }

    /// Gives it another deadline. Poll it again: the waker of the last poll is not woken any more.
    pub fn reset(&mut self, deadline: Instant) {
        self.move_to(Some(deadline));
    }

    fn move_to(&mut self, deadline: Option<Instant>) {
        if self.deadline != deadline {
            self.deadline = deadline;
            self.timer.disarm();
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.get_mut();
        if sleep.is_elapsed() {
            sleep.timer.disarm();
            return Poll::Ready(());
        }
        if let Some(deadline) = sleep.deadline {
            sleep.timer.arm(deadline, context.waker());
        }
        Poll::Pending
    }
}

/// Runs `f`, and cuts it short if it waits for longer than `timeout`.
///
/// `f` may wait for anything that this library waits for, any number of times; the first wait that would go on after the time is over
/// unwinds, as a panic does, and its destructors run: see [`cancel`](crate::cancel). It has taken nothing then: no message, no lock. With
/// a timeout of zero `f` does what it can without a wait.
///
/// Code that does not wait is not cut short, and an `f` that comes to its end has not been, however late it is.
///
/// # Blocking
/// As `f`.
///
/// # Errors
/// [`Elapsed`] if `f` was cut short.
///
/// # Panics
/// With the panic of `f`; and if the runtime has not been started.
///
/// # Cancellation
/// If the caller is cancelled, so is `f`. C frames between this call and a wait keep that wait going until C has returned.
///
/// # Examples
/// ```
/// use greenbridge_runtime::sync::channel;
/// use greenbridge_runtime::time::{Elapsed, timeout};
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (sender, receiver) = channel::unbounded();
/// assert_eq!(timeout(Duration::from_millis(1), || receiver.recv()), Err(Elapsed));
/// assert_eq!(sender.send(5), Ok(()));
/// assert_eq!(timeout(Duration::ZERO, || receiver.recv()), Ok(Ok(5)));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
pub fn timeout<R>(timeout: Duration, f: impl FnOnce() -> R) -> Result<R, Elapsed> {
    match clock::deadline_after(timeout) {
        Some(deadline) => timeout_at(deadline, f),
        None => Ok(f()),
    }
}

/// Runs `f`, and cuts it short if it waits beyond `deadline`: as [`timeout`].
///
/// # Errors
/// [`Elapsed`] if `f` was cut short.
///
/// # Panics
/// With the panic of `f`; and if the runtime has not been started.
///
/// # Examples
/// Several waits, and one deadline:
/// ```
/// use greenbridge_runtime::sync::channel;
/// use greenbridge_runtime::time::{self, Elapsed};
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (sender, receiver) = channel::unbounded();
/// assert_eq!(sender.send(1), Ok(()));
/// let mut sum = 0;
/// let deadline = time::now() + Duration::from_millis(1);
/// let result = time::timeout_at(deadline, || while let Ok(n) = receiver.recv() { sum += n });
/// assert_eq!((result, sum), (Err(Elapsed), 1));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
pub fn timeout_at<R>(deadline: Instant, f: impl FnOnce() -> R) -> Result<R, Elapsed> {
    let node = Node::root();
    if clock::now() < deadline {
        node.arm(deadline);
    } else {
        node.cancel();
    }
    cancel::run(&node, f).map_err(|_| Elapsed)
}

/// The time was over before what it was given for: the error of [`timeout`] and [`timeout_at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl Error for Elapsed {}
